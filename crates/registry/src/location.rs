//! Where tables lie: a lake is a folder of stages, a stage a folder of tables.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Component, Path, PathBuf};

use deltalake_core::DeltaTableBuilder;
use deltalake_core::logstore::logstore_factories;
use ossature_schema_spec::DatasetName;
use url::Url;

use crate::{Error, StorageOptions, stores};

/// The stage of the run records. It is no SQL schema of its own name: it is kept apart from the data as `_ossature`.
const RUNS_STAGE: &str = "runs";
const RUNS_FOLDER: &str = "_ossature";

/// The folder in which one table lies, and what its store is opened with. Two locations are equal when the folders are.
#[derive(Debug, Clone)]
pub struct TableLocation {
    url: Url,
    options: StorageOptions,
    /// Folders, with a slash at their ends.
    allowed: Vec<Url>,
}

impl TableLocation {
    /// A table of its own, outside of a lake: a URL, or a local folder.
    ///
    /// **Errors**: [`Error::InvalidLocation`].
    pub fn try_new(location: &str) -> Result<Self, Error> {
        folder(location).map(Self::of)
    }

    fn of(url: Url) -> Self {
        Self {
            url,
            options: StorageOptions::default(),
            allowed: Vec::new(),
        }
    }

    /// Opens the store with these options, besides those of the environment.
    #[must_use]
    pub fn with_options(self, options: StorageOptions) -> Self {
        Self { options, ..self }
    }

    /// Lets the log of the table name files of another folder: a URL, or a local folder. Shallow clones do that.
    ///
    /// **Errors**: [`Error::InvalidLocation`].
    pub fn allow(mut self, root: &str) -> Result<Self, Error> {
        self.allowed.push(folder(root)?);
        Ok(self)
    }

    /// The URL, with a slash at its end.
    pub fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn allowed(&self) -> &[Url] {
        &self.allowed
    }

    /// The table there, without looking whether there is one.
    ///
    /// **Errors**: [`Error::Delta`] when the store cannot be opened.
    pub fn builder(&self) -> Result<DeltaTableBuilder, Error> {
        DeltaTableBuilder::from_url(self.url.clone())
            .map(|builder| builder.with_storage_options(self.options.expose()))
            .map_err(Error::delta("locating a table"))
    }
}

impl PartialEq for TableLocation {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for TableLocation {}

impl Hash for TableLocation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url.hash(state);
    }
}

impl fmt::Display for TableLocation {
    /// Without user, query and fragment, which may hold secrets; a local folder is shown as a path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.url, f)
    }
}

fn show(url: &Url, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Ok(path) = url.to_file_path() {
        return write!(f, "{}", path.display());
    }
    let host = url.host_str().unwrap_or_default();
    // There a container stands where others have a user.
    let container = if url.scheme().starts_with("abfs") && !url.username().is_empty() {
        format!("{}@", url.username())
    } else {
        String::new()
    };
    write!(f, "{}://{container}{host}{}", url.scheme(), url.path())
}

/// The root of a lake, and what its store is opened with. Two lakes are equal when the roots are.
#[derive(Debug, Clone)]
pub struct Lake {
    url: Url,
    options: StorageOptions,
}

impl PartialEq for Lake {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Lake {}

impl Lake {
    /// The lake at a URL, or in a local folder that need not exist yet.
    ///
    /// **Errors**: [`Error::InvalidLocation`].
    pub fn try_new(location: &str) -> Result<Self, Error> {
        Ok(Self {
            url: folder(location)?,
            options: StorageOptions::default(),
        })
    }

    /// Opens the store with these options, besides those of the environment.
    #[must_use]
    pub fn with_options(self, options: StorageOptions) -> Self {
        Self { options, ..self }
    }

    /// The folder of a dataset: `<stage>/<table>/`, and `_ossature/<table>/` for the stage `runs`.
    ///
    /// **Errors**: [`Error::InvalidLocation`].
    pub fn location(&self, dataset: &DatasetName) -> Result<TableLocation, Error> {
        let stage = match dataset.stage() {
            RUNS_STAGE => RUNS_FOLDER,
            stage => stage,
        };
        // Dataset names are lower-case identifiers, so the result cannot leave the lake.
        let url = self
            .url
            .join(&format!("{stage}/{}/", dataset.table()))
            .map_err(|error| Error::InvalidLocation {
                found: dataset.to_string(),
                reason: error.to_string(),
            })?;
        Ok(TableLocation::of(url).with_options(self.options.clone()))
    }

    /// A folder of the lake by its path below the root, for tables that are no datasets.
    ///
    /// **Errors**: [`Error::Escapes`] when the path leads out of the lake: it is absolute, or has `..` in it.
    pub fn table(&self, path: &str) -> Result<TableLocation, Error> {
        let escapes = || Error::Escapes {
            location: self.to_string(),
            path: path.to_owned(),
        };
        let is_plain = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && !part.contains(['\\', ':', '%'])
        };
        let path = path.strip_suffix('/').unwrap_or(path);
        if !path.split('/').all(is_plain) {
            return Err(escapes());
        }
        let url = self.url.join(&format!("{path}/")).map_err(|_| escapes())?;
        if !url.as_str().starts_with(self.url.as_str()) {
            return Err(escapes());
        }
        Ok(TableLocation::of(url).with_options(self.options.clone()))
    }

    /// The folder as a local path, if it is one.
    pub fn local_path(&self) -> Option<PathBuf> {
        self.url.to_file_path().ok()
    }

    /// The URL, with a slash at its end.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for Lake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(&self.url, f)
    }
}

/// The text of a location, without what may be a secret: what cannot be parsed is shown as it came, unless it could hold a
/// password.
pub(crate) fn shown(location: &str) -> String {
    match Url::parse(location) {
        Ok(url) if location.contains("://") => TableLocation::of(url).to_string(),
        _ if location.contains('@') => "the location".to_owned(),
        _ => location.to_owned(),
    }
}

/// The URL of a folder, with a slash at its end.
fn folder(location: &str) -> Result<Url, Error> {
    let refuse = |reason: String| Error::InvalidLocation {
        found: shown(location),
        reason,
    };
    let mut url = if location.contains("://") {
        Url::parse(location).map_err(|error| refuse(error.to_string()))?
    } else {
        check_slashes(location).map_err(refuse)?;
        check_characters(location).map_err(refuse)?;
        let absolute =
            std::path::absolute(Path::new(location)).map_err(|error| refuse(error.to_string()))?;
        Url::from_directory_path(without_parents(&absolute))
            .map_err(|()| refuse("the path cannot be written as a URL".to_owned()))?
    };
    if !url.path().ends_with('/') {
        let folder = format!("{}/", url.path());
        url.set_path(&folder);
    }
    check_secrets(&url).map_err(refuse)?;
    check_scheme(&url).map_err(refuse)?;
    check_folder(&url).map_err(refuse)?;
    Ok(url)
}

/// A URL with one slash would be a folder of an odd name.
fn check_slashes(location: &str) -> Result<(), String> {
    stores::register();
    let known = logstore_factories();
    let scheme = location.split_once(":/").map(|(scheme, _)| scheme);
    match scheme.filter(|it| known.iter().any(|factory| factory.key().scheme() == *it)) {
        Some(scheme) => Err(format!("a URL of `{scheme}` begins with `{scheme}://`")),
        None => Ok(()),
    }
}

/// Object stores name things with neither.
fn check_characters(location: &str) -> Result<(), String> {
    match location
        .chars()
        .find(|char| char.is_control() || (cfg!(unix) && *char == '\\'))
    {
        Some(char) => Err(format!(
            "it holds {char:?}, which no store can have in a name"
        )),
        None => Ok(()),
    }
}

/// The path without `..`, which object stores do not know. What is there already is resolved as the system would.
fn without_parents(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut folder, part| {
        if part == Component::ParentDir {
            folder = folder.canonicalize().unwrap_or(folder);
            folder.pop();
        } else {
            folder.push(part);
        }
        folder
    })
}

/// A URL is written down in many places: what opens a store is no part of it.
fn check_secrets(url: &Url) -> Result<(), String> {
    if url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(
            "it holds a password, a query or a fragment: secrets belong in the environment"
                .to_owned(),
        );
    }
    Ok(())
}

/// There is a store for the scheme: this process knows those that were registered with delta-rs.
fn check_scheme(url: &Url) -> Result<(), String> {
    stores::register();
    let mut known: Vec<String> = logstore_factories()
        .iter()
        .map(|factory| factory.key().scheme().to_owned())
        .collect();
    if known.iter().any(|scheme| scheme == url.scheme()) {
        return Ok(());
    }
    known.sort_unstable();
    known.dedup();
    Err(format!(
        "there is no store for `{}`, only for: {}",
        url.scheme(),
        known.join(", ")
    ))
}

/// A local lake and everything above it are folders, or not there yet.
fn check_folder(url: &Url) -> Result<(), String> {
    let Ok(path) = url.to_file_path() else {
        return match url.scheme() {
            "file" => Err("a file URL begins with three slashes and names no host".to_owned()),
            _ => Ok(()),
        };
    };
    if path.to_string_lossy().contains('%') {
        return Err("it holds `%`, which the Delta runtime takes for an escape".to_owned());
    }
    // Components leave out the slash at the end, with which the system looks for a folder and finds nothing.
    let path: PathBuf = path.components().collect();
    let not_a_folder = path
        .ancestors()
        .find(|path| path.metadata().is_ok_and(|found| !found.is_dir()));
    match not_a_folder {
        Some(file) => Err(format!("`{}` is not a folder", file.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lie_inside_their_lake() {
        let lake = Lake::try_new("/data/my lake").unwrap();
        let of = |name: &str| {
            let dataset = DatasetName::try_new(name).unwrap();
            lake.location(&dataset).unwrap().to_string()
        };
        assert_eq!(of("extract.nodes"), "/data/my lake/extract/nodes/");
        assert_eq!(
            of("runs.run_manifest"),
            "/data/my lake/_ossature/run_manifest/"
        );
    }

    #[test]
    fn secrets_in_a_url_are_not_shown() {
        let url = "s3://key:secret@bucket/lake/?sig=secret";
        let location = TableLocation::of(Url::parse(url).unwrap());
        assert_eq!(location.to_string(), "s3://bucket/lake/");
        for url in [url, "s3://bucket/lake?sig=secret", "memory:///lake#secret"] {
            let refused = Lake::try_new(url).unwrap_err().to_string();
            assert!(
                !refused.contains("=secret") && !refused.contains("#secret"),
                "{refused}"
            );
            assert!(
                refused.contains("secrets belong in the environment"),
                "{refused}"
            );
        }
    }

    #[test]
    fn options_are_shown_nowhere() {
        let options: StorageOptions = [("token", "canary")].into_iter().collect();
        let lake = Lake::try_new("memory:///lake")
            .unwrap()
            .with_options(options);
        let location = lake.table("a/b").unwrap();
        for told in [
            format!("{lake:?} {lake}"),
            format!("{location:?} {location}"),
        ] {
            assert!(!told.contains("canary"), "{told}");
        }
        assert!(format!("{location:?}").contains("token"));
    }

    #[test]
    fn paths_that_leave_the_lake_are_refused() {
        let lake = Lake::try_new("/data/lake").unwrap();
        assert_eq!(lake.table("a/b").unwrap().to_string(), "/data/lake/a/b/");
        for path in [
            "",
            "/a",
            "../a",
            "a/../../b",
            "a//b",
            "./a",
            "a\\b",
            "c:/a",
            "%2e%2e/a",
            "file:///a",
        ] {
            let refused = lake.table(path).unwrap_err();
            assert_eq!(refused.code(), "path_escapes", "{path}");
        }
    }

    #[test]
    fn schemes_without_a_store_are_refused() {
        let refused = Lake::try_new("gopher://bucket/lake")
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("there is no store for `gopher`, only for: "),
            "{refused}"
        );
    }

    #[test]
    fn names_that_no_store_can_have_are_refused() {
        for location in [
            "a\nb",
            "a\u{1b}b",
            "a\\b",
            "a%20b",
            "file:///a%2520b",
            "file://host/a",
            "memory:/a",
        ] {
            assert!(Lake::try_new(location).is_err(), "{location:?}");
        }
        let lake = Lake::try_new("/data/nowhere/../lake").unwrap();
        assert_eq!(lake.to_string(), "/data/lake/");
    }

    #[test]
    fn a_lake_is_a_folder() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for location in [file.to_owned(), format!("{file}/lake")] {
            let refused = Lake::try_new(&location).unwrap_err().to_string();
            assert!(refused.contains("Cargo.toml` is not a folder"), "{refused}");
        }
    }
}
