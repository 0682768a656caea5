//! The source files of a tree, with their keys and module names.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};
use ossature_schema_spec::FileKey;

use crate::module_name::Packages;
use crate::{Error, Reason};

/// Directories that never hold sources of the tree.
const SKIPPED_DIRECTORIES: [&str; 4] = [".git", "__pycache__", ".venv", "node_modules"];

/// Which entries of a tree are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// Whether `.gitignore` and its like leave files out.
    pub honour_ignore_files: bool,
    /// Whether entries whose name begins with a dot are left out.
    pub skip_hidden: bool,
}

impl ScanOptions {
    /// Lists every `*.py`.
    pub fn everything() -> Self {
        Self {
            honour_ignore_files: false,
            skip_hidden: false,
        }
    }
}

/// One entry of the tree whose name ends in `.py`, or a folder that could not be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path below the root as bytes, parts separated by `/`.
    pub path_bytes: Vec<u8>,
    /// The same for people; bytes that are not UTF-8 are shown as U+FFFD.
    pub path: String,
    /// The key, unique in the listing.
    pub key: FileKey,
    /// 0, or what was hashed with the path because another path has the same key.
    pub salt: u32,
    /// Length in bytes when it was listed.
    pub size_bytes: u64,
    /// The dotted name of the module.
    pub module_name: String,
    /// Whether it is an `__init__.py`.
    pub is_package: bool,
    /// Why it will not be read, if that is known already.
    pub skip: Option<Reason>,
    /// Where it is.
    location: PathBuf,
}

impl SourceFile {
    /// Where the file is on this machine.
    pub fn location(&self) -> &Path {
        &self.location
    }
}

/// The source files of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceListing {
    files: Vec<SourceFile>,
}

impl SourceListing {
    /// The files, ordered by the bytes of their paths.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The files whose path satisfies a condition, with the keys and module names of the whole tree.
    ///
    /// This is what an incremental run extracts: the names of the changed files depend on all files.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(&SourceFile) -> bool) -> Self {
        let files = self
            .files
            .iter()
            .filter(|file| keep(file))
            .cloned()
            .collect();
        Self { files }
    }
}

/// Lists the source files below a root.
///
/// Every entry whose name ends in `.py` is listed, links and pipes too, with the reason why it will not be read; so is
/// every folder that cannot be listed, since what is below it would otherwise be missing without a word. Links are not
/// followed; `.git`, `__pycache__`, `.venv` and `node_modules` are left out.
///
/// **Determinism**: a function of the names and kinds of the entries; neither of the root's own name nor of the order
/// in which the file system yields entries.
/// **Errors**: [`Error::Root`].
pub fn list_sources(root: &Path, options: &ScanOptions) -> Result<SourceListing, Error> {
    let refuse = |source| Error::Root {
        path: root.to_owned(),
        source,
    };
    fs::read_dir(root).map_err(refuse)?;
    let real_root = root.canonicalize().map_err(refuse)?;
    let mut found = BTreeMap::new();
    let walk = WalkBuilder::new(root)
        .standard_filters(options.honour_ignore_files)
        .hidden(options.skip_hidden)
        .require_git(false)
        .follow_links(false)
        .filter_entry(|entry| !is_skipped_directory(entry))
        .build();
    for entry in walk {
        match entry {
            Ok(entry) => {
                if let Some(path) = source_path(&entry, root) {
                    found.insert(
                        path,
                        (
                            skip_reason(&entry, &real_root),
                            size(&entry),
                            entry.into_path(),
                        ),
                    );
                }
            }
            // Anything else that the walk complains about is a line of an ignore file.
            Err(error) => {
                if let Some(place) = place(&error)
                    && let Some(path) = path_below(place, root)
                {
                    found.insert(path, (Some(Reason::UnreadableFolder), 0, place.to_owned()));
                }
            }
        }
    }
    let keys = keys(found.keys());
    let shown: Vec<String> = found
        .keys()
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    let packages = Packages::among(shown.iter().map(String::as_str));
    let files = found
        .into_iter()
        .zip(shown)
        .zip(keys)
        .map(
            |(((path_bytes, (skip, size_bytes, location)), path), (key, salt))| SourceFile {
                module_name: packages.module_name(&path),
                is_package: path == "__init__.py" || path.ends_with("/__init__.py"),
                path_bytes,
                path,
                key,
                salt,
                size_bytes,
                skip,
                location,
            },
        )
        .collect();
    Ok(SourceListing { files })
}

fn is_skipped_directory(entry: &DirEntry) -> bool {
    entry.depth() > 0
        && entry.file_type().is_some_and(|kind| kind.is_dir())
        && entry
            .file_name()
            .to_str()
            .is_some_and(|name| SKIPPED_DIRECTORIES.contains(&name))
}

/// The path below the root, if the entry counts as a source file.
fn source_path(entry: &DirEntry, root: &Path) -> Option<Vec<u8>> {
    let is_named = entry.file_name().as_encoded_bytes().ends_with(b".py");
    let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
    if !is_named || is_directory {
        return None;
    }
    path_below(entry.path(), root)
}

fn path_below(path: &Path, root: &Path) -> Option<Vec<u8>> {
    let parts: Vec<&[u8]> = path
        .strip_prefix(root)
        .ok()?
        .iter()
        .map(std::ffi::OsStr::as_encoded_bytes)
        .collect();
    Some(parts.join(&b'/'))
}

/// What an error of the walk is about, if the operating system refused something.
fn place(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, err } if err.is_io() => Some(path),
        ignore::Error::WithPath { err, .. }
        | ignore::Error::WithDepth { err, .. }
        | ignore::Error::WithLineNumber { err, .. } => place(err),
        _ => None,
    }
}

fn skip_reason(entry: &DirEntry, real_root: &Path) -> Option<Reason> {
    let kind: FileType = entry.file_type()?;
    if kind.is_file() {
        return None;
    }
    let leads_out = kind.is_symlink()
        && entry
            .path()
            .canonicalize()
            .is_ok_and(|target| !target.starts_with(real_root));
    Some(if leads_out {
        Reason::OutsideRoot
    } else {
        Reason::NotRegular
    })
}

fn size(entry: &DirEntry) -> u64 {
    entry.metadata().map_or(0, |metadata| metadata.len())
}

/// A key for each path. Of several paths with one key the smallest keeps it; the others are hashed again with the
/// first salt that is free.
fn keys<'a>(paths: impl Iterator<Item = &'a Vec<u8>> + Clone) -> Vec<(FileKey, u32)> {
    let mut used = BTreeSet::new();
    let first: Vec<(FileKey, bool)> = paths
        .clone()
        .map(|path| {
            let key = FileKey::of(path, 0);
            (key, used.insert(key))
        })
        .collect();
    first
        .into_iter()
        .zip(paths)
        .map(|((key, is_free), path)| {
            if is_free {
                return (key, 0);
            }
            (1..=u32::MAX)
                .map(|salt| (FileKey::of(path, salt), salt))
                .find(|(key, _)| used.insert(*key))
                .unwrap_or((key, 0))
        })
        .collect()
}

/// The path's bytes, if its display form does not show them exactly.
pub(crate) fn exact_bytes(file: &SourceFile) -> Option<&[u8]> {
    match String::from_utf8_lossy(&file.path_bytes) {
        Cow::Borrowed(_) => None,
        Cow::Owned(_) => Some(&file.path_bytes),
    }
}
