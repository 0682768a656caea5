//! The table behind a dataset: created from its contract before anything is written, checked when it exists.

use std::collections::{BTreeMap, BTreeSet};

use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::transaction::CommitProperties;
use deltalake_core::kernel::{Action, Protocol as ProtocolAction, StructType};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::SaveMode;
use ossature_delta_policy::{
    FeatureGate, Protocol, ProtocolReport, ProtocolSupport, ResolvedPolicy, gate, plan_features,
    render_properties,
};
use ossature_registry::{OpenTable, TableLocation, commit_keys, open_table};
use ossature_schema_spec::{Change, ColumnSpec, DatasetSpec, diff_columns, from_stored, to_stored};
use serde_json::json;

use crate::{Error, WRITER_VERSION};

/// Opens the table of a dataset, or creates it from its contract.
///
/// A table is never created by its first write: two writers that both found none would reset each other's table, and
/// the schema would follow from a plan instead of the contract.
pub(crate) async fn open_or_create(
    contract: &DatasetSpec,
    location: &TableLocation,
    policy: &ResolvedPolicy,
) -> Result<(OpenTable, ProtocolReport), Error> {
    let open = match open_table(location, None).await {
        Ok(open) => open,
        Err(ossature_registry::Error::NoTable { .. }) => {
            create(contract, location, policy).await?;
            open_table(location, None).await?
        }
        Err(error) => return Err(error.into()),
    };
    check_contract(contract, &open)?;
    let report = check_protocol(&open, policy)?;
    if !report.is_writable() {
        return Err(Error::ProtocolRefused {
            dataset: contract.name().clone(),
            problems: report.problems,
        });
    }
    Ok((open, report))
}

async fn create(
    contract: &DatasetSpec,
    location: &TableLocation,
    policy: &ResolvedPolicy,
) -> Result<(), Error> {
    let schema: StructType = (&to_stored(&contract.arrow_schema())).try_into_kernel()?;
    let plan = plan_features(None, &policy.feature_request()).map_err(Error::Policy)?;
    let mut properties = render_properties(policy);
    let mut actions = Vec::new();
    if let Some(change) = plan.change {
        properties.extend(change.properties);
        if change.protocol != Protocol::PLAIN {
            actions.push(Action::Protocol(protocol_action(&change.protocol)?));
        }
    }
    let keys = BTreeMap::from([
        (commit_keys::WRITER.to_owned(), json!(WRITER_VERSION)),
        (
            commit_keys::CONTRACT.to_owned(),
            json!(contract.contract_hash().to_hex()),
        ),
        (
            commit_keys::POLICY.to_owned(),
            json!(policy.fingerprint().to_hex()),
        ),
    ]);
    CreateBuilder::new()
        .with_location(location.url().as_str())
        .with_table_name(contract.name().as_str())
        .with_comment(contract.description())
        .with_columns(schema.fields().cloned())
        .with_partition_columns(contract.partition().iter().map(ToString::to_string))
        .with_configuration(
            properties
                .into_iter()
                .map(|(key, value)| (key, Some(value))),
        )
        .with_actions(actions)
        // Who loses a race of creators uses the winner's table, if it was created from the same contract.
        .with_save_mode(SaveMode::Ignore)
        .with_commit_properties(CommitProperties::default().with_metadata(keys))
        .await
        .map_err(Error::delta("creating a table"))?;
    Ok(())
}

/// The runtime's protocol type is made from its JSON form: it has no public constructor.
fn protocol_action(protocol: &Protocol) -> Result<ProtocolAction, Error> {
    let mut action = json!({
        "minReaderVersion": protocol.min_reader_version,
        "minWriterVersion": protocol.min_writer_version,
    });
    if protocol.min_reader_version >= 3 {
        action["readerFeatures"] = json!(protocol.reader_features);
    }
    if protocol.min_writer_version >= 7 {
        action["writerFeatures"] = json!(protocol.writer_features);
    }
    serde_json::from_value(action)
        .map_err(|error| Error::delta("making a protocol action")(error.into()))
}

/// Compares the stored schema with the contract; places of columns do not matter.
fn check_contract(contract: &DatasetSpec, open: &OpenTable) -> Result<(), Error> {
    let snapshot = open
        .table()
        .snapshot()
        .map_err(Error::delta("reading a schema"))?;
    let stored = from_stored(&snapshot.snapshot().arrow_schema());
    let columns: Vec<ColumnSpec> = stored
        .fields()
        .iter()
        .filter_map(|field| ColumnSpec::from_arrow(field).ok())
        .collect();
    let changes: Vec<Change> = diff_columns(contract, &columns)
        .into_iter()
        .filter(|change| !matches!(change, Change::Position { .. }))
        .collect();
    if changes.is_empty() {
        Ok(())
    } else {
        Err(Error::ContractChanged {
            dataset: contract.name().clone(),
            changes,
        })
    }
}

fn check_protocol(open: &OpenTable, policy: &ResolvedPolicy) -> Result<ProtocolReport, Error> {
    let snapshot = open
        .table()
        .snapshot()
        .map_err(Error::delta("reading a protocol"))?;
    let action = snapshot.protocol();
    let names = |features: Option<&[_]>| -> BTreeSet<String> {
        features
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let found = Protocol {
        min_reader_version: u32::try_from(action.min_reader_version()).unwrap_or_default(),
        min_writer_version: u32::try_from(action.min_writer_version()).unwrap_or_default(),
        reader_features: names(action.reader_features()),
        writer_features: names(action.writer_features()),
    };
    let required = FeatureGate {
        min_reader_version: 0,
        min_writer_version: 0,
        features: policy.wanted_features(),
    };
    Ok(gate(&required, &found, &ProtocolSupport::runtime()))
}
