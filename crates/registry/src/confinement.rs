//! Files that a log names lie in the table's folder, or where the caller allowed them to.
//!
//! A log is data that somebody else may have written. A path in it that leads elsewhere would have a reader of one table
//! read any file of the machine, or of the bucket.

use deltalake_core::DeltaTable;
use deltalake_core::kernel::{DeletionVectorDescriptor, StorageType};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::paths::paths_in_log;
use crate::{Error, TableLocation};

/// Digits of the name of a deletion vector, behind the folder that it lies in.
const VECTOR_DIGITS: usize = 20;

/// Refuses a version with a file, or a deletion vector, that lies elsewhere.
///
/// What counts is what the runtime will open: it takes a path for a URL, and one that is none for a reference from the table's
/// folder, which browsers and it read in the same generous way. Paths are known here without their escapes; where it matters
/// what was escaped, they are read once more, letter for letter.
///
/// **Errors**: [`Error::Escapes`], [`Error::Delta`].
pub(crate) async fn check_confined(
    location: &TableLocation,
    table: &DeltaTable,
) -> Result<(), Error> {
    let snapshot = table.snapshot().map_err(Error::delta("reading paths"))?;
    let refuse = |path: String| Error::Escapes {
        location: location.to_string(),
        path: path.escape_debug().to_string(),
    };
    let mut is_in_doubt = false;
    for file in snapshot.log_data().iter() {
        let vector = file.deletion_vector_descriptor();
        if let Some(vector) = vector.filter(|vector| !is_confined_vector(location, vector)) {
            return Err(refuse(vector.path_or_inline_dv));
        }
        let path = file.path();
        if climbs(&path) {
            return Err(refuse(path.into_owned()));
        }
        if depends_on_escapes(&path) {
            is_in_doubt = true;
        } else if !is_confined(location, &path) {
            return Err(refuse(path.into_owned()));
        }
    }
    if is_in_doubt {
        let paths = paths_in_log(table).await?.into_iter();
        let mut elsewhere = paths.filter(|path| !is_confined(location, path));
        return elsewhere.next().map_or(Ok(()), |path| Err(refuse(path)));
    }
    Ok(())
}

/// Whether a path, as the log spells it, leads below the table's folder or below one that is allowed.
fn is_confined(location: &TableLocation, path: &str) -> bool {
    let url = Url::parse(path).or_else(|_| location.url().join(path));
    url.is_ok_and(|url| is_below_roots(location, &url))
}

fn is_below_roots(location: &TableLocation, url: &Url) -> bool {
    let mut roots = std::iter::once(location.url()).chain(location.allowed());
    !climbs(url.path()) && roots.any(|root| url.as_str().starts_with(root.as_str()))
}

fn is_confined_vector(location: &TableLocation, vector: &DeletionVectorDescriptor) -> bool {
    let text = &vector.path_or_inline_dv;
    match vector.storage_type {
        // The text is the vector itself.
        StorageType::Inline => true,
        StorageType::AbsolutePath => {
            Url::parse(text).is_ok_and(|url| is_below_roots(location, &url))
        }
        // A folder, and the digits of a name, which are no path whatever they are.
        StorageType::UuidRelativePath => {
            let folder = text.len().checked_sub(VECTOR_DIGITS);
            let folder = folder.and_then(|length| text.get(..length));
            folder.is_some_and(|it| !climbs(it) && !depends_on_escapes(it) && !it.starts_with('/'))
        }
    }
}

/// Whether a path means something else with its escapes than without.
fn depends_on_escapes(path: &str) -> bool {
    path.contains(|char: char| char.is_control() || matches!(char, '\\' | ':' | '?' | '#'))
        || path.trim() != path
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
            "a%3Ab/part-1.parquet",
            "/lake/cpg/nodes/part-1.parquet",
            "file:///lake/cpg/nodes/part-1.parquet",
        ] {
            assert!(is_confined(&location, path), "{path}");
        }
        for path in [
            "../edges/part-1.parquet",
            "a/../../edges/part-1.parquet",
            "%2e%2E/edges/part-1.parquet",
            "..\\edges",
            "/etc/passwd",
            " /etc/passwd",
            "\\etc/passwd",
            ".\t./.\t./edges/part-1.parquet",
            "\n/etc/passwd",
            "/lake/cpg/nodes/../edges/part-1.parquet",
            "/lake/cpg/nodes2/part-1.parquet",
            "file:///etc/passwd",
            "s3://bucket/part-1.parquet",
            "http://example.org/part-1.parquet",
        ] {
            assert!(!is_confined(&location, path), "{path}");
        }
        assert!(climbs("%252e%252e/edges"));
        let location = location.allow("/lake/cpg").unwrap();
        assert!(is_confined(&location, "/lake/cpg/edges/part-1.parquet"));
        assert!(!is_confined(&location, "/lake/part-1.parquet"));
    }

    #[test]
    fn vectors_are_where_their_kind_says() {
        let location = TableLocation::try_new("/lake/cpg/nodes").unwrap();
        let vector = |storage_type, text: &str| DeletionVectorDescriptor {
            storage_type,
            path_or_inline_dv: text.to_owned(),
            offset: None,
            size_in_bytes: 1,
            cardinality: 1,
        };
        for text in [
            "/{Hw]P0n!{>[YxzF(0y2",
            "ab/{Hw]P0n!{>[YxzF(0y2",
            "..:w]P0n!{>[YxzF(0y2",
        ] {
            let relative = vector(StorageType::UuidRelativePath, text);
            assert!(is_confined_vector(&location, &relative), "{text}");
        }
        assert!(is_confined_vector(
            &location,
            &vector(StorageType::Inline, "../../:x")
        ));
        for text in [
            "../{Hw]P0n!{>[YxzF(0y2",
            "/etc/{Hw]P0n!{>[YxzF(0y2",
            "short",
        ] {
            let relative = vector(StorageType::UuidRelativePath, text);
            assert!(!is_confined_vector(&location, &relative), "{text}");
        }
        let absolute = |text| vector(StorageType::AbsolutePath, text);
        assert!(is_confined_vector(
            &location,
            &absolute("file:///lake/cpg/nodes/v.bin")
        ));
        assert!(!is_confined_vector(
            &location,
            &absolute("file:///lake/cpg/v.bin")
        ));
    }
}
