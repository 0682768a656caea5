//! Canonical hashing: SHA-256 over a typed, length-framed, domain-separated encoding.

use std::fmt;

use sha2::{Digest, Sha256};

/// A digest of 256 bits that identifies a declaration, a plan or the content of a table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes a digest that was computed elsewhere.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Parses 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The digest.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest in 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        self.0
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
                }
                text
            })
    }

    /// The first 12 hexadecimal digits, for people.
    pub fn short(&self) -> String {
        let mut text = self.to_hex();
        text.truncate(12);
        text
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({})", self.short())
    }
}

/// Hashes a value field by field so that different values never feed the same bytes.
///
/// Every item is written as a type tag, its length and its bytes; lists and groups write their length. The domain
/// names the thing that is hashed and the version of its encoding.
///
/// ```
/// use ossature_schema_spec::CanonicalHasher;
/// let digest = |parts: &[&str]| {
///     let mut hasher = CanonicalHasher::new("example.v1");
///     for part in parts {
///         hasher.text(part);
///     }
///     hasher.finish()
/// };
/// assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
/// ```
#[derive(Clone)]
pub struct CanonicalHasher(Sha256);

impl CanonicalHasher {
    /// Begins a digest of the thing that `domain` names.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self(Sha256::new());
        hasher.text(domain);
        hasher
    }

    fn frame(&mut self, tag: u8, bytes: &[u8]) {
        self.0.update([tag]);
        self.0
            .update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds text.
    pub fn text(&mut self, value: &str) {
        self.frame(b't', value.as_bytes());
    }

    /// Adds bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.frame(b'b', value);
    }

    /// Adds an integer.
    pub fn integer(&mut self, value: i64) {
        self.frame(b'i', &value.to_le_bytes());
    }

    /// Adds a truth value.
    pub fn flag(&mut self, value: bool) {
        self.frame(b'f', &[u8::from(value)]);
    }

    /// Adds the absence of a value, which differs from every value.
    pub fn absent(&mut self) {
        self.frame(b'0', &[]);
    }

    /// Begins a list of `length` items, which follow.
    pub fn list(&mut self, length: usize) {
        self.frame(
            b'l',
            &u64::try_from(length).unwrap_or(u64::MAX).to_le_bytes(),
        );
    }

    /// Adds a digest.
    pub fn fingerprint(&mut self, value: Fingerprint) {
        self.frame(b'h', value.as_bytes());
    }

    /// The digest of everything that was added.
    pub fn finish(self) -> Fingerprint {
        Fingerprint(self.0.finalize().into())
    }
}

impl fmt::Debug for CanonicalHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CanonicalHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn digest(parts: &[String]) -> Fingerprint {
        let mut hasher = CanonicalHasher::new("test");
        for part in parts {
            hasher.text(part);
        }
        hasher.finish()
    }

    proptest! {
        #[test]
        fn different_sequences_have_different_digests(
            a in proptest::collection::vec(".{0,3}", 0..4),
            b in proptest::collection::vec(".{0,3}", 0..4),
        ) {
            prop_assert_eq!(a == b, digest(&a) == digest(&b));
        }

        #[test]
        fn hexadecimal_text_is_read_back(bytes in any::<[u8; 32]>()) {
            let fingerprint = Fingerprint::from_bytes(bytes);
            prop_assert_eq!(Fingerprint::from_hex(&fingerprint.to_hex()), Some(fingerprint));
        }
    }

    #[test]
    fn kinds_of_values_do_not_mix() {
        let of = |add: fn(&mut CanonicalHasher)| {
            let mut hasher = CanonicalHasher::new("test");
            add(&mut hasher);
            hasher.finish()
        };
        let digests = [
            of(|h| h.text("")),
            of(|h| h.bytes(&[])),
            of(CanonicalHasher::absent),
            of(|h| h.flag(false)),
            of(|h| h.integer(0)),
            of(|h| h.list(0)),
        ];
        for (at, digest) in digests.iter().enumerate() {
            assert!(!digests[at + 1..].contains(digest));
        }
    }
}
