//! What can go wrong when the graph is declared.

/// Why a declaration is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A dataset breaks a rule of the schema layer.
    #[error("a dataset of the graph is declared wrongly")]
    Dataset(#[from] ossature_schema_spec::Error),
    /// The extractor's datasets cannot be had.
    #[error("the datasets of the extractor are declared wrongly")]
    Extract(#[from] ossature_python_extract::Error),
}

impl Error {
    /// A stable identifier of the variant, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Dataset(source) => source.code(),
            Self::Extract(source) => source.code(),
        }
    }

    /// What to do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dataset(source) => source.hint(),
            Self::Extract(source) => source.hint(),
        }
    }
}
