//! The clone as data: the text of every file that is, or is about to be, tracked.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use crate::error::Error;
use crate::process;

/// The text files of the clone, by path from its root (with `/`, on every platform).
///
/// Checks are functions of this value alone, so that a test can hand them a clone of three lines.
#[derive(Debug, Default)]
pub(crate) struct Repo {
    /// Path to text. Files that are not UTF-8 are left out.
    pub(crate) files: BTreeMap<String, String>,
}

impl Repo {
    /// Reads what git tracks, and what it would track after `git add --all`.
    pub(crate) fn read(root: &Path) -> Result<Self, Error> {
        let listing = process::output(
            root,
            &[
                "git",
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        )?;
        let mut files = BTreeMap::new();
        for path in listing.split('\0').filter(|path| !path.is_empty()) {
            match fs::read(root.join(path)) {
                Ok(bytes) => {
                    if let Ok(text) = String::from_utf8(bytes) {
                        files.insert(path.to_owned(), text);
                    }
                }
                // Tracked, and deleted since; or a link to a folder.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
                    ) => {}
                Err(source) => {
                    return Err(Error::Io {
                        path: root.join(path),
                        source,
                    });
                }
            }
        }
        Ok(Self { files })
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Every Rust source file, as path and text.
    pub(crate) fn rust_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(|(path, _)| has_extension(path, "rs"))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The folders below `crates/` that hold a manifest, sorted.
    pub(crate) fn crates(&self) -> impl Iterator<Item = &str> {
        self.files.keys().filter_map(|path| {
            let folder = path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!folder.contains('/')).then_some(folder)
        })
    }
}

/// Whether a path ends with `.` and this extension.
pub(crate) fn has_extension(path: &str, wanted: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == wanted)
}

#[cfg(test)]
impl Repo {
    /// A clone of a few lines.
    pub(crate) fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self {
            files: files
                .map(|(path, text)| (path.to_owned(), text.to_owned()))
                .into(),
        }
    }
}
