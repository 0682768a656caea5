//! Digests as text.

use std::borrow::Cow;
use std::fmt;

use ossature_schema_spec::Fingerprint;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What the schemas say of a digest.
pub(crate) const DIGEST_PATTERN: &str = "^[0-9a-f]{64}$";

/// Whether text is what [`DIGEST_PATTERN`] describes.
pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A digest of 256 bits, in 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DigestV1(Fingerprint);

impl DigestV1 {
    /// The digest.
    pub fn fingerprint(self) -> Fingerprint {
        self.0
    }
}

impl From<Fingerprint> for DigestV1 {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(fingerprint)
    }
}

impl fmt::Display for DigestV1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for DigestV1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DigestV1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Some(&text)
            .filter(|text| is_digest(text))
            .and_then(|text| Fingerprint::from_hex(text))
            .map(Self)
            .ok_or_else(|| de::Error::custom("expected 64 lower-case hexadecimal digits"))
    }
}

impl JsonSchema for DigestV1 {
    fn schema_name() -> Cow<'static, str> {
        "DigestV1".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": DIGEST_PATTERN })
    }
}
