//! Reading one source file, once.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Reason;

/// The bytes of a file and their digest.
#[derive(Debug)]
pub(crate) struct Source {
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`, in hexadecimal digits.
    pub sha256: String,
}

/// Reads a regular file of at most `bytes_max` bytes.
///
/// A link is never followed: the file that is opened must be the one that stands under the name, and regular.
///
/// **Errors**: [`Reason::NotRegular`], [`Reason::TooLarge`], [`Reason::Unreadable`].
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Source, Reason> {
    let named = fs::symlink_metadata(path).map_err(|_| Reason::Unreadable)?;
    if !named.is_file() {
        return Err(Reason::NotRegular);
    }
    if named.len() > bytes_max {
        return Err(Reason::TooLarge);
    }
    let file = File::open(path).map_err(|_| Reason::Unreadable)?;
    let opened = file.metadata().map_err(|_| Reason::Unreadable)?;
    if !opened.is_file() || !is_same(&named, &opened) {
        return Err(Reason::NotRegular);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or_default());
    file.take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .map_err(|_| Reason::Unreadable)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Reason::TooLarge);
    }
    let sha256 = hex(&Sha256::digest(&bytes));
    Ok(Source { bytes, sha256 })
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

#[cfg(unix)]
fn is_same(named: &fs::Metadata, opened: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (named.dev(), named.ino()) == (opened.dev(), opened.ino())
}

#[cfg(not(unix))]
fn is_same(_named: &fs::Metadata, _opened: &fs::Metadata) -> bool {
    true
}
