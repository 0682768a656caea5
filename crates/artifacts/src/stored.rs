//! A payload as it is stored: its id, the version of its contract, its JSON.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use ossature_schema_spec::Fingerprint;
use serde_json::{Value, json};

use crate::table::{ArtifactTable, Columns};
use crate::{Envelope, Error, Payload, Rejection, canonical_json};

/// A payload with the columns that every artifact table has.
#[derive(Debug, Clone)]
pub(crate) struct Stored<P> {
    pub(crate) payload: P,
    pub(crate) artifact_id: Fingerprint,
    pub(crate) version: i32,
    pub(crate) json: String,
}

impl<P: Payload> Stored<P> {
    pub(crate) fn of(payload: P) -> Result<Self, Error> {
        let envelope = Envelope::seal(&payload)?;
        Ok(Self {
            artifact_id: envelope.id()?,
            version: i32::try_from(P::VERSION).unwrap_or(i32::MAX),
            json: canonical_json(envelope.payload().unwrap_or(&Value::Null))?,
            payload,
        })
    }

    /// Reads a payload back from its columns.
    fn read(version: i32, json: &str) -> Result<P, Rejection> {
        let payload: Value = serde_json::from_str(json).unwrap_or(Value::Null);
        let envelope = json!({"kind": P::KIND, "version": version, "payload": payload});
        Envelope::from_value(envelope).open()
    }
}

impl<'a, R> Columns<'a, R> {
    /// The columns of the payload, which every artifact table has.
    pub(crate) fn payload<P: 'a>(self, stored: impl Fn(&'a R) -> &'a Stored<P>) -> Self {
        self.text("artifact_id", |row| stored(row).artifact_id.to_hex())
            .small("payload_version", |row| stored(row).version)
            .text("payload_json", |row| stored(row).json.as_str())
    }
}

/// The payloads of rows with the columns `payload_version` and `payload_json`.
pub(crate) fn payloads<P: Payload>(
    table: ArtifactTable,
    rows: &[RecordBatch],
) -> Result<Vec<P>, Error> {
    let table = table.name();
    let unexpected = |column, wanted| Error::UnexpectedColumn {
        table,
        column,
        wanted,
    };
    let mut payloads = Vec::new();
    for batch in rows {
        let versions = batch
            .column_by_name("payload_version")
            .and_then(|column| column.as_primitive_opt::<Int32Type>())
            .ok_or_else(|| unexpected("payload_version", "Int32"))?;
        let texts = batch
            .column_by_name("payload_json")
            .and_then(|column| column.as_string_opt::<i32>())
            .ok_or_else(|| unexpected("payload_json", "Utf8"))?;
        for (version, text) in versions.values().iter().zip(texts) {
            let payload = Stored::read(*version, text.unwrap_or_default());
            payloads.push(payload.map_err(|rejection| Error::Corrupt {
                table,
                source: Box::new(rejection),
            })?);
        }
    }
    Ok(payloads)
}
