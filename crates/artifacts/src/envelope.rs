//! The envelope: a payload with its kind and version, which is what is stored, sent and hashed.

use ossature_schema_spec::{CanonicalHasher, Fingerprint};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::schema::{envelope_schema, violations};
use crate::{
    Error, Rejection, Violation, ViolationCode, canonical_json, canonical_msgpack, decode_msgpack,
    pretty_json,
};

/// A type that artifacts carry. Its JSON Schema is its contract.
pub trait Payload: Serialize + DeserializeOwned + JsonSchema {
    /// What kind of artifact it makes.
    const KIND: &'static str;
    /// The version of the contract. A change that refuses what was accepted before is another version.
    const VERSION: u32;
}

/// A payload with its kind and version.
///
/// ```
/// use ossature_artifacts::{Envelope, StatsDecisionV1};
///
/// let none = StatsDecisionV1 { policy: "off".to_owned(), columns: vec![], dropped: vec![], used: vec![] };
/// let envelope = Envelope::seal(&none)?;
/// assert_eq!(
///     envelope.to_json()?,
///     r#"{"kind":"stats_decision","payload":{"columns":[],"dropped":[],"policy":"off","used":[]},"version":1}"#
/// );
/// let bytes = envelope.to_msgpack()?;
/// assert_eq!(Envelope::from_msgpack(&bytes)?.open::<StatsDecisionV1>()?, none);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope(Value);

impl Envelope {
    /// Puts a payload into its envelope.
    ///
    /// **Errors**: [`Error::Unencodable`], which no payload of this crate causes.
    pub fn seal<P: Payload>(payload: &P) -> Result<Self, Error> {
        let payload = serde_json::to_value(payload).map_err(Error::unencodable)?;
        Ok(Self(json!({
            "kind": P::KIND,
            "version": P::VERSION,
            "payload": payload,
        })))
    }

    /// Takes the payload out.
    ///
    /// **Errors**: a [`Rejection`] with every fault, when it is of another kind or version, or does not meet the
    /// contract.
    pub fn open<P: Payload>(&self) -> Result<P, Rejection> {
        let is_of_kind = self.0.get("kind") == Some(&json!(P::KIND))
            && self.0.get("version") == Some(&json!(P::VERSION))
            && self.0.as_object().is_some_and(|fields| fields.len() == 3);
        let read = match self.0.get("payload") {
            Some(payload) if is_of_kind => P::deserialize(payload),
            _ => Err(serde::de::Error::custom("an artifact of another kind")),
        };
        // Where fields may be left out, a list is read as if it named them. What does not come back as it went in is
        // held against the schema.
        let read = read.and_then(|payload| {
            let came_back = serde_json::to_value(&payload).ok();
            let is_same = came_back.as_ref() == self.0.get("payload");
            if is_same || violations(&envelope_schema::<P>(), &self.0).is_empty() {
                Ok(payload)
            } else {
                Err(serde::de::Error::custom("another shape"))
            }
        });
        read.map_err(|error| {
            Rejection::of(violations(&envelope_schema::<P>(), &self.0), || {
                let expected = format!("a payload of kind {}", P::KIND);
                Violation::new(
                    ViolationCode::Unreadable,
                    "/payload",
                    expected,
                    error.to_string(),
                )
            })
        })
    }

    /// Reads an envelope from JSON.
    ///
    /// **Errors**: a [`Rejection`] with [`ViolationCode::NotJson`].
    pub fn from_json(text: &str) -> Result<Self, Rejection> {
        serde_json::from_str(text).map(Self).map_err(|error| {
            let actual = error.to_string();
            Rejection::one(Violation::new(ViolationCode::NotJson, "", "JSON", actual))
        })
    }

    /// Reads an envelope from canonical `MsgPack`.
    ///
    /// **Errors**: those of [`decode_msgpack`].
    pub fn from_msgpack(bytes: &[u8]) -> Result<Self, Rejection> {
        decode_msgpack(bytes).map(Self)
    }

    /// Canonical JSON, on one line.
    ///
    /// **Errors**: those of [`canonical_json`].
    pub fn to_json(&self) -> Result<String, Error> {
        canonical_json(&self.0)
    }

    /// Canonical JSON for files.
    ///
    /// **Errors**: those of [`pretty_json`].
    pub fn to_pretty_json(&self) -> Result<String, Error> {
        pretty_json(&self.0)
    }

    /// Canonical `MsgPack`.
    ///
    /// **Errors**: those of [`canonical_msgpack`].
    pub fn to_msgpack(&self) -> Result<Vec<u8>, Error> {
        canonical_msgpack(&self.0)
    }

    /// The id of the artifact: a digest of the envelope's canonical `MsgPack`.
    ///
    /// **Errors**: those of [`canonical_msgpack`].
    pub fn id(&self) -> Result<Fingerprint, Error> {
        let mut hasher = CanonicalHasher::new("ossature.artifact.v1");
        hasher.bytes(&self.to_msgpack()?);
        Ok(hasher.finish())
    }

    /// The payload alone.
    pub fn payload(&self) -> Option<&Value> {
        self.0.get("payload")
    }
}

/// The id of the artifact that carries a payload, see [`Envelope::id`].
///
/// **Errors**: [`Error::Unencodable`], which no payload of this crate causes.
pub fn artifact_id<P: Payload>(payload: &P) -> Result<Fingerprint, Error> {
    Envelope::seal(payload)?.id()
}
