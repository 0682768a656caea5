//! Where tables lie: a lake is a folder of stages, a stage a folder of tables.

use std::path::Path;

use ossature_schema_spec::DatasetName;
use url::Url;

use crate::Error;

/// The stage of the run records. It is no SQL schema of its own name: it is kept apart from the data as `_ossature`.
const RUNS_STAGE: &str = "runs";
const RUNS_FOLDER: &str = "_ossature";

/// The folder in which one table lies.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableLocation(Url);

impl TableLocation {
    /// The URL, with a slash at its end.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl std::fmt::Display for TableLocation {
    /// Without user, query and fragment, which may hold secrets; a local folder is shown as a path.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Ok(path) = self.0.to_file_path() {
            return write!(f, "{}", path.display());
        }
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "{}://{host}{}", self.0.scheme(), self.0.path())
    }
}

/// The root of a lake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lake(Url);

impl Lake {
    /// The lake at a URL, or in a local folder that need not exist yet.
    ///
    /// **Errors**: [`Error::InvalidLocation`].
    pub fn try_new(location: &str) -> Result<Self, Error> {
        let refuse = |reason: String| Error::InvalidLocation {
            found: location.to_owned(),
            reason,
        };
        let mut url = if location.contains("://") {
            Url::parse(location).map_err(|error| refuse(error.to_string()))?
        } else {
            let absolute = std::path::absolute(Path::new(location))
                .map_err(|error| refuse(error.to_string()))?;
            Url::from_directory_path(&absolute)
                .map_err(|()| refuse("the path cannot be written as a URL".to_owned()))?
        };
        if !url.path().ends_with('/') {
            let folder = format!("{}/", url.path());
            url.set_path(&folder);
        }
        Ok(Self(url))
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
            .0
            .join(&format!("{stage}/{}/", dataset.table()))
            .map_err(|error| Error::InvalidLocation {
                found: dataset.to_string(),
                reason: error.to_string(),
            })?;
        Ok(TableLocation(url))
    }

    /// The folder as a local path, if it is one.
    pub fn local_path(&self) -> Option<std::path::PathBuf> {
        self.0.to_file_path().ok()
    }

    /// The URL, with a slash at its end.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl std::fmt::Display for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        TableLocation(self.0.clone()).fmt(f)
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
        let lake = Lake::try_new("s3://key:secret@bucket/lake?sig=secret").unwrap();
        assert_eq!(lake.to_string(), "s3://bucket/lake/");
    }
}
