//! How far the extraction of a file came, and why no further.

use std::fmt;

/// Why a file has no tree, or only part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It is longer than the limit.
    TooLarge,
    /// It is said to be UTF-8, or says nothing, and is not.
    NotUtf8,
    /// It names an encoding that is unknown, or one that contradicts its byte order mark.
    UnknownEncoding,
    /// Its bytes do not belong to the encoding that it names.
    Undecodable,
    /// It holds a NUL byte.
    Binary,
    /// The operating system refuses to read it.
    Unreadable,
    /// It is a folder that the operating system refuses to list, so that nothing below it is known.
    UnreadableFolder,
    /// It is a symbolic link, a FIFO, a socket or a device.
    NotRegular,
    /// It is a symbolic link to something outside of the root.
    OutsideRoot,
    /// It has more nodes than a file has ids.
    TooManyNodes,
    /// Its expressions, blocks or scopes nest deeper than is followed.
    TooDeep,
    /// Its qualified names or signatures, which repeat what encloses them, are too long in sum.
    NamesTooLong,
    /// It has syntax errors; what could be recovered is in the tables.
    SyntaxError,
    /// The parser or the extractor failed on it.
    Internal,
}

impl Reason {
    /// The code as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotUtf8 => "not_utf8",
            Self::UnknownEncoding => "unknown_encoding",
            Self::Undecodable => "undecodable",
            Self::Binary => "binary",
            Self::Unreadable => "unreadable",
            Self::UnreadableFolder => "unreadable_folder",
            Self::NotRegular => "not_regular",
            Self::OutsideRoot => "outside_root",
            Self::TooManyNodes => "too_many_nodes",
            Self::TooDeep => "too_deep",
            Self::NamesTooLong => "names_too_long",
            Self::SyntaxError => "syntax_error",
            Self::Internal => "internal",
        }
    }

    /// One sentence for people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::TooLarge => "the file is longer than the limit",
            Self::NotUtf8 => "the file is not UTF-8",
            Self::UnknownEncoding => "the file names an encoding that is unknown",
            Self::Undecodable => "the file does not belong to the encoding that it names",
            Self::Binary => "the file holds a NUL byte",
            Self::Unreadable => "the file cannot be read",
            Self::UnreadableFolder => "the folder cannot be listed",
            Self::NotRegular => "the entry is no regular file",
            Self::OutsideRoot => "the link leads out of the source tree",
            Self::TooManyNodes => "the file has more nodes than ids",
            Self::TooDeep => "the file nests too deeply",
            Self::NamesTooLong => "the file's qualified names are too long in sum",
            Self::SyntaxError => "the file has syntax errors",
            Self::Internal => "the extractor failed on the file",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
