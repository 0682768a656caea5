//! Files that a log names lie in the table's folder, or where the caller allowed them to.
//!
//! A log is data that somebody else may have written. A path in it that leads elsewhere would have a reader of one table
//! read any file of the machine, or of the bucket.

use deltalake_core::table::state::DeltaTableState;
use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Error, TableLocation};

/// Refuses a version with a file, or a deletion vector, that lies elsewhere.
///
/// **Errors**: [`Error::Escapes`].
pub(crate) fn check_confined(
    location: &TableLocation,
    snapshot: &DeltaTableState,
) -> Result<(), Error> {
    for file in snapshot.log_data().iter() {
        let vector = file.deletion_vector_descriptor();
        let vector = vector.map(|vector| vector.path_or_inline_dv);
        let paths = [Some(file.path().into_owned()), vector];
        let mut paths = paths.into_iter().flatten();
        if let Some(path) = paths.find(|path| !is_confined(location, path)) {
            return Err(Error::Escapes {
                location: location.to_string(),
                path,
            });
        }
    }
    Ok(())
}

fn is_confined(location: &TableLocation, path: &str) -> bool {
    let absolute = if path.starts_with('/') {
        let mut url = location.url().clone();
        url.set_path(path);
        Some(url)
    } else {
        // A letter and a colon are a scheme, too.
        Url::parse(path).ok()
    };
    match absolute {
        None => !climbs(path),
        Some(url) => {
            let roots = std::iter::once(location.url()).chain(location.allowed());
            !climbs(url.path())
                && roots
                    .into_iter()
                    .any(|root| url.as_str().starts_with(root.as_str()))
        }
    }
}

/// Whether a part of the path is `..`, under whatever escapes: what is unescaped once here may be unescaped again below.
fn climbs(path: &str) -> bool {
    let mut path = path.to_owned();
    loop {
        if path.split(['/', '\\']).any(|part| part == "..") {
            return true;
        }
        let unescaped = percent_decode_str(&path).decode_utf8_lossy().into_owned();
        if unescaped == path {
            return false;
        }
        path = unescaped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_lead_elsewhere_are_told_from_those_below() {
        let location = TableLocation::try_new("/lake/cpg/nodes").unwrap();
        for path in [
            "part-1.parquet",
            "family=a/part-1.parquet",
            "a..b/..c",
            "family=%2E%2Ea",
            "/lake/cpg/nodes/part-1.parquet",
            "file:///lake/cpg/nodes/part-1.parquet",
        ] {
            assert!(is_confined(&location, path), "{path}");
        }
        for path in [
            "../edges/part-1.parquet",
            "a/../../edges/part-1.parquet",
            "%2e%2E/edges/part-1.parquet",
            "%252e%252e/edges/part-1.parquet",
            "..\\edges",
            "/etc/passwd",
            "/lake/cpg/nodes/../edges/part-1.parquet",
            "/lake/cpg/nodes2/part-1.parquet",
            "file:///etc/passwd",
            "s3://bucket/part-1.parquet",
            "http://example.org/part-1.parquet",
        ] {
            assert!(!is_confined(&location, path), "{path}");
        }
        let location = location.allow("/lake/cpg").unwrap();
        assert!(is_confined(&location, "/lake/cpg/edges/part-1.parquet"));
        assert!(!is_confined(&location, "/lake/part-1.parquet"));
        assert!(!is_confined(&location, "../edges/part-1.parquet"));
    }
}
