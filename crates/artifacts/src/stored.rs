//! A payload as it is stored: its id, the version of its contract, its bytes.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use ossature_schema_spec::Fingerprint;
use serde::{Serialize, Serializer};

use crate::table::ArtifactTable;
use crate::{Envelope, Error, Payload};

/// A payload with the columns that artifact tables have for it.
#[derive(Debug, Clone)]
pub(crate) struct Stored<P> {
    pub(crate) payload: P,
    pub(crate) artifact_id: Fingerprint,
    pub(crate) columns: PayloadColumns,
}

/// The columns for a payload.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PayloadColumns {
    artifact_id: String,
    payload_version: i32,
    payload: Bytes,
}

/// Bytes, which rows are built from in hexadecimal digits.
#[derive(Debug, Clone)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<P: Payload> Stored<P> {
    pub(crate) fn of(payload: P) -> Result<Self, Error> {
        let envelope = Envelope::seal(&payload)?;
        let artifact_id = envelope.id()?;
        let columns = PayloadColumns {
            artifact_id: artifact_id.to_hex(),
            payload_version: i32::try_from(P::VERSION).unwrap_or(i32::MAX),
            payload: Bytes(envelope.to_msgpack()?),
        };
        Ok(Self {
            payload,
            artifact_id,
            columns,
        })
    }
}

/// A count as Delta keeps it: it has no unsigned integers. What does not fit is the largest that does.
pub(crate) fn count(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

/// The payloads of rows with the column `payload`.
pub(crate) fn payloads<P: Payload>(
    table: ArtifactTable,
    rows: &[RecordBatch],
) -> Result<Vec<P>, Error> {
    let table = table.name();
    let mut payloads = Vec::new();
    for batch in rows {
        let envelopes = batch
            .column_by_name("payload")
            .and_then(|column| column.as_binary_opt::<i32>())
            .ok_or(Error::UnexpectedColumn {
                table,
                column: "payload",
                wanted: "Binary",
            })?;
        for bytes in envelopes {
            let payload = Envelope::from_msgpack(bytes.unwrap_or_default());
            let payload = payload.and_then(|envelope| envelope.open());
            payloads.push(payload.map_err(|rejection| Error::Corrupt {
                table,
                source: Box::new(rejection),
            })?);
        }
    }
    Ok(payloads)
}
