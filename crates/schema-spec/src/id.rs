//! Identities of the graph: sites, symbols and edges as non-negative 64-bit integers.
//!
//! | kind | bit 62 | the other bits |
//! |---|---|---|
//! | site | 0 | file key (40 bits), ordinal in the file's tree (22 bits) |
//! | symbol | 1 | 62 bits of SHA-256 over symbol kind, qualified name and duplicate index |
//!
//! Bit 63 is never set, so that ids order alike as signed and as unsigned numbers.

use std::fmt;

use crate::CanonicalHasher;

/// Bits of a site id that number the nodes of one file.
pub const ORDINAL_BITS: u32 = 22;
/// Bits of a site id that name the file.
pub const FILE_KEY_BITS: u32 = 40;
/// The bit that tells symbols from sites.
pub const SYMBOL_BIT: i64 = 1 << 62;
/// The largest ordinal of a site in its file.
pub const ORDINAL_MAX: u32 = (1 << ORDINAL_BITS) - 1;

/// The first eight bytes of a digest as a number.
fn leading_bits(hasher: CanonicalHasher) -> u64 {
    let mut head = [0; 8];
    for (to, from) in head.iter_mut().zip(hasher.finish().as_bytes()) {
        *to = *from;
    }
    u64::from_be_bytes(head)
}

/// A number of at most 63 bits as the signed integer of the same value.
fn signed(bits: u64) -> i64 {
    i64::try_from(bits & (u64::MAX >> 1)).unwrap_or_default()
}

/// 40 bits of SHA-256 over a file's path inside the source tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileKey(u64);

impl FileKey {
    /// The key of a path, as raw bytes with `/` between the parts. The salt is 0 unless two paths of one tree collide.
    pub fn of(path: &[u8], salt: u32) -> Self {
        let mut hasher = CanonicalHasher::new("ossature.file_key.v1");
        hasher.bytes(path);
        hasher.integer(i64::from(salt));
        Self(leading_bits(hasher) >> (64 - FILE_KEY_BITS))
    }

    /// The key as a number below 2^40.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// A node at a place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(i64);

impl SiteId {
    /// The site with that preorder position in the file's tree; `None` above [`ORDINAL_MAX`].
    ///
    /// ```
    /// use ossature_schema_spec::{FileKey, SiteId};
    /// let key = FileKey::of(b"flask/app.py", 0);
    /// let file = SiteId::new(key, 0).expect("0 is a valid ordinal");
    /// let call = SiteId::new(key, 77).expect("77 is a valid ordinal");
    /// assert_eq!(call.file(), file);
    /// assert_eq!(call.value() - file.value(), 77);
    /// ```
    pub fn new(file: FileKey, ordinal: u32) -> Option<Self> {
        (ordinal <= ORDINAL_MAX).then(|| Self(signed(file.0 << ORDINAL_BITS | u64::from(ordinal))))
    }

    /// The site of a stored id; `None` for symbols and negative numbers.
    pub fn from_value(value: i64) -> Option<Self> {
        (0..SYMBOL_BIT).contains(&value).then_some(Self(value))
    }

    /// The file's own node: ordinal 0 of the same file.
    #[must_use]
    pub fn file(self) -> Self {
        Self(self.0 >> ORDINAL_BITS << ORDINAL_BITS)
    }

    /// The stored number.
    pub fn value(self) -> i64 {
        self.0
    }
}

/// What kind of thing a symbol names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SymbolKind {
    /// A module or package.
    Module,
    /// A class.
    Class,
    /// A function, method or lambda.
    Function,
    /// A parameter of a function.
    Parameter,
    /// A name bound in a module or a class that is no definition.
    Attribute,
    /// A name outside the source tree.
    External,
}

impl SymbolKind {
    /// Every kind, in a fixed order.
    pub const ALL: [Self; 6] = [
        Self::Module,
        Self::Class,
        Self::Function,
        Self::Parameter,
        Self::Attribute,
        Self::External,
    ];

    /// The kind as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Module => "module",
            Self::Class => "class",
            Self::Function => "function",
            Self::Parameter => "parameter",
            Self::Attribute => "attribute",
            Self::External => "external",
        }
    }

    /// The kind that is stored as `text`.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl fmt::Display for SymbolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A named thing that outlives a version of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(i64);

impl SymbolId {
    /// The symbol of that kind and qualified name; the duplicate index tells apart what is defined twice under one
    /// name in one module (0 is the first).
    ///
    /// ```
    /// use ossature_schema_spec::{SymbolId, SymbolKind};
    /// let first = SymbolId::of(SymbolKind::Function, "flask.app.Flask.run", 0);
    /// assert!(first.value() >= 1 << 62);
    /// assert_ne!(first, SymbolId::of(SymbolKind::Function, "flask.app.Flask.run", 1));
    /// ```
    pub fn of(kind: SymbolKind, qualified_name: &str, duplicate_index: u32) -> Self {
        let mut hasher = CanonicalHasher::new("ossature.symbol_id.v1");
        hasher.text(kind.as_str());
        hasher.text(qualified_name);
        hasher.integer(i64::from(duplicate_index));
        Self(SYMBOL_BIT | signed(leading_bits(hasher) >> 2))
    }

    /// The stored number.
    pub fn value(self) -> i64 {
        self.0
    }
}

/// One edge: 63 bits of SHA-256 over what makes it different from every other edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeId(i64);

impl EdgeId {
    /// The edge of that kind from `src` to `dst`, with its label and position where it has them.
    pub fn of(kind: &str, src: i64, dst: i64, label: Option<&str>, position: Option<i32>) -> Self {
        let mut hasher = CanonicalHasher::new("ossature.edge_id.v1");
        hasher.text(kind);
        hasher.integer(src);
        hasher.integer(dst);
        match label {
            Some(label) => hasher.text(label),
            None => hasher.absent(),
        }
        match position {
            Some(position) => hasher.integer(i64::from(position)),
            None => hasher.absent(),
        }
        Self(signed(leading_bits(hasher)))
    }

    /// The stored number.
    pub fn value(self) -> i64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn ids_are_published_vectors() {
        let key = FileKey::of(b"pkg/mod.py", 0);
        let vectors = [
            format!("file key   {:010x}", key.value()),
            format!("salted     {:010x}", FileKey::of(b"pkg/mod.py", 1).value()),
            format!("site 5     {:016x}", SiteId::new(key, 5).unwrap().value()),
            format!(
                "symbol     {:016x}",
                SymbolId::of(SymbolKind::Class, "pkg.mod.A", 0).value()
            ),
            format!(
                "edge       {:016x}",
                EdgeId::of("REF", 1, 2, None, None).value()
            ),
            format!(
                "edge label {:016x}",
                EdgeId::of("REF", 1, 2, Some(""), Some(0)).value()
            ),
        ];
        expect![[r#"
            file key   47f1e3ffc9
            salted     07f8339042
            site 5     11fc78fff2400005
            symbol     648c972d24a02a42
            edge       3c81c75640d009a2
            edge label 3cf87ee05d239650"#]]
        .assert_eq(&vectors.join("\n"));
    }

    #[test]
    fn an_ordinal_that_does_not_fit_is_refused() {
        let key = FileKey::of(b"a.py", 0);
        assert!(SiteId::new(key, ORDINAL_MAX).is_some());
        assert!(SiteId::new(key, ORDINAL_MAX + 1).is_none());
    }

    #[test]
    fn sites_of_one_file_are_one_range_below_every_symbol() {
        let key = FileKey::of(b"a.py", 0);
        let first = SiteId::new(key, 0).unwrap();
        let last = SiteId::new(key, ORDINAL_MAX).unwrap();
        assert_eq!(last.file(), first);
        assert_eq!(last.value() - first.value(), i64::from(ORDINAL_MAX));
        assert!(last.value() < SYMBOL_BIT);
        assert_eq!(SiteId::from_value(SYMBOL_BIT), None);
        assert_eq!(SiteId::from_value(-1), None);
    }
}
