//! Stores beside local folders: buckets of S3 and containers of Azure, each behind a cargo feature.
//!
//! A commit is put where no file of its name is: both stores can do that, and whoever comes second is told. Nothing else
//! arbitrates, no table beside the lake and no lock.

/// Makes the stores of this build known to the runtime. Whatever somebody else registered stays.
pub(crate) fn register() {
    #[cfg(any(feature = "s3", feature = "azure"))]
    buckets::register();
}

#[cfg(any(feature = "s3", feature = "azure"))]
mod buckets;
