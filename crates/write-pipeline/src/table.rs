//! The table behind a dataset: created from its contract before anything is written, checked when it exists.

use std::collections::{BTreeMap, BTreeSet};

use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{
    Action, Metadata, MetadataExt as _, Protocol as ProtocolAction, StructField, StructType,
    new_metadata,
};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTableBuilder, DeltaTableError};
use ossature_delta_policy::{
    DeltaFeature, FeatureGate, Protocol, ProtocolReport, ProtocolSupport, SchemaPlan, TableState,
    gate, maps_columns, plan_features, plan_properties, plan_schema, render_properties,
};
use ossature_registry::{OpenTable, commit_keys, open_table};
use ossature_schema_spec::{ColumnName, ColumnSpec, DatasetSpec, from_stored, to_stored};
use serde_json::json;

use crate::constraint::constraints_of;
use crate::{Error, WRITER_VERSION, WriteMode, WriteRequest};

/// A table that may be written as the request says.
pub(crate) struct WritableTable {
    pub(crate) open: OpenTable,
    /// What its protocol demands, and whether the runtime provides it.
    pub(crate) protocol: ProtocolReport,
    /// What every row has to satisfy, by name.
    pub(crate) constraints: BTreeMap<String, String>,
    /// What the next commit changes of its protocol and its metadata.
    pub(crate) changes: Vec<Action>,
}

/// Opens the table of a dataset, or creates it from its contract.
///
/// A table is never created by its first write: two writers that both found none would reset each other's table, and
/// the schema would follow from a plan instead of the contract.
pub(crate) async fn open_or_create(request: &WriteRequest) -> Result<WritableTable, Error> {
    let WriteRequest {
        contract,
        location,
        mode,
        ..
    } = request;
    let exists = |open: OpenTable| match mode {
        WriteMode::ErrorIfExists => Err(Error::TableExists {
            dataset: contract.name().clone(),
            version: open.version(),
        }),
        _ => Ok(open),
    };
    let open = match open_table(location, None).await {
        Ok(open) => exists(open)?,
        Err(ossature_registry::Error::NoTable { .. }) => {
            let is_first = create(request).await?;
            let open = open_table(location, None).await?;
            // Who loses a race of creators uses the winner's table, if it was created from the same contract.
            if is_first { open } else { exists(open)? }
        }
        Err(error) => return Err(error.into()),
    };
    let snapshot = open
        .table()
        .snapshot()
        .map_err(Error::delta("reading a table"))?;
    let state = table_state(snapshot);
    let protocol = check_protocol(request, &state)?;
    let schema_plan = check_contract(request, snapshot)?;
    let stored = snapshot.snapshot().arrow_schema();
    let constraints = constraints_of(&BTreeMap::new(), &state, &stored);
    let changes = plan_changes(request, snapshot, &state, &schema_plan)?;
    Ok(WritableTable {
        open,
        protocol,
        constraints,
        changes,
    })
}

/// Commits version 0: protocol, schema and properties, at once. Whether this was the commit that made the table.
///
/// The runtime's own builder is not used. It lists features as properties suggest, some for readers only, on which it
/// panics.
async fn create(request: &WriteRequest) -> Result<bool, Error> {
    let WriteRequest {
        contract,
        location,
        policy,
        ..
    } = request;
    let schema: StructType = (&to_stored(&contract.arrow_schema())).try_into_kernel()?;
    let plan = plan_features(None, &policy.wanted_features()).map_err(Error::Policy)?;
    let mut properties = render_properties(policy);
    let mut protocol = Protocol::PLAIN;
    if let Some(change) = plan.at_creation {
        properties.extend(change.properties);
        protocol = change.protocol;
    }
    let failed = || Error::delta("making the first commit");
    let metadata = new_metadata(&schema, contract.partition(), properties)
        .and_then(|metadata| metadata.with_name(contract.name().to_string()))
        .and_then(|metadata| metadata.with_description(contract.description().to_owned()))
        .map_err(|error| failed()(error.into()))?;
    let protocol = protocol_action(&protocol)?;
    let table = DeltaTableBuilder::from_url(location.url().clone())
        .and_then(DeltaTableBuilder::build)
        .map_err(failed())?;
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
    let properties = CommitProperties::default()
        .with_metadata(keys)
        .with_max_retries(0);
    let operation = DeltaOperation::Create {
        mode: SaveMode::ErrorIfExists,
        location: location.url().clone(),
        protocol: protocol.clone(),
        metadata: metadata.clone(),
    };
    let done = CommitBuilder::from(properties)
        .with_actions(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
        .build(None, table.log_store(), operation)
        .await;
    match done {
        Ok(_) => Ok(true),
        Err(DeltaTableError::Transaction { source }) if Error::is_lost_race(&source) => Ok(false),
        Err(error) => Err(failed()(error)),
    }
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

fn table_state(snapshot: &DeltaTableState) -> TableState {
    let action = snapshot.protocol();
    let names = |features: Option<&[_]>| -> BTreeSet<String> {
        features
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect()
    };
    let properties = snapshot.metadata().configuration().iter();
    TableState {
        protocol: Protocol {
            min_reader_version: u32::try_from(action.min_reader_version()).unwrap_or_default(),
            min_writer_version: u32::try_from(action.min_writer_version()).unwrap_or_default(),
            reader_features: names(action.reader_features()),
            writer_features: names(action.writer_features()),
        },
        properties: properties
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

/// Refuses what would fail only when all files are stored, or would give other rows than were written.
fn check_protocol(request: &WriteRequest, state: &TableState) -> Result<ProtocolReport, Error> {
    let dataset = || request.contract.name().clone();
    let required = FeatureGate {
        min_reader_version: 0,
        min_writer_version: 0,
        features: request.policy.wanted_features(),
    };
    let report = gate(&required, &state.protocol, &ProtocolSupport::runtime());
    if !report.is_writable() {
        return Err(Error::ProtocolRefused {
            dataset: dataset(),
            problems: report.problems,
        });
    }
    if maps_columns(&state.properties) {
        return Err(Error::MappedColumns { dataset: dataset() });
    }
    let keeps_rows = matches!(
        request.mode,
        WriteMode::Append | WriteMode::ErrorIfExists | WriteMode::Compact
    );
    if !keeps_rows && state.has_active(DeltaFeature::AppendOnly) {
        return Err(Error::AppendOnly {
            dataset: dataset(),
            mode: request.mode.as_str(),
        });
    }
    Ok(report)
}

/// Compares the stored schema with the contract; places of columns do not matter.
fn check_contract(request: &WriteRequest, snapshot: &DeltaTableState) -> Result<SchemaPlan, Error> {
    let contract = &request.contract;
    let wanted: Vec<&str> = contract
        .partition()
        .iter()
        .map(ColumnName::as_str)
        .collect();
    let found = snapshot.metadata().partition_columns();
    if wanted != *found {
        return Err(Error::PartitionDiffers {
            dataset: contract.name().clone(),
            wanted: wanted.into_iter().map(str::to_owned).collect(),
            found: found.to_vec(),
        });
    }
    let stored = from_stored(&snapshot.snapshot().arrow_schema());
    let columns = stored.fields().iter().map(|field| {
        ColumnSpec::from_arrow(field).map_err(|_| Error::UnsupportedType {
            found: field.data_type().clone(),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let mode = request.policy.schema_mode.value;
    plan_schema(mode, contract, &columns).map_err(|errors| Error::ContractChanged {
        dataset: contract.name().clone(),
        errors,
    })
}

/// The protocol and the metadata that the next commit brings; nothing when the table has them.
fn plan_changes(
    request: &WriteRequest,
    snapshot: &DeltaTableState,
    state: &TableState,
    schema: &SchemaPlan,
) -> Result<Vec<Action>, Error> {
    let policy = &request.policy;
    let features = plan_features(Some(state), &policy.wanted_features()).map_err(Error::Policy)?;
    let properties = plan_properties(state, policy);
    let mut actions = Vec::new();
    if let Some(change) = &features.after_creation
        && change.protocol != state.protocol
    {
        actions.push(Action::Protocol(protocol_action(&change.protocol)?));
    }
    let change = || -> Result<Metadata, DeltaTableError> {
        let mut metadata = snapshot.metadata().clone();
        if !schema.add.is_empty() {
            metadata = metadata.with_schema(&extended(&request.contract, snapshot, schema)?)?;
        }
        for (key, value) in &properties.set {
            metadata = metadata.add_config_key(key.clone(), value.clone())?;
        }
        for key in &properties.unset {
            metadata = metadata.remove_config_key(key)?;
        }
        Ok(metadata)
    };
    if !(schema.add.is_empty() && properties.is_empty()) {
        let metadata = change().map_err(Error::delta("changing a table's metadata"))?;
        actions.push(Action::Metadata(metadata));
    }
    Ok(actions)
}

/// The stored columns as they are, and the new ones behind them.
fn extended(
    contract: &DatasetSpec,
    snapshot: &DeltaTableState,
    schema: &SchemaPlan,
) -> Result<StructType, DeltaTableError> {
    let declared: StructType = (&to_stored(&contract.arrow_schema())).try_into_kernel()?;
    let stored = snapshot.schema();
    let is_new = |field: &&StructField| schema.add.iter().any(|name| name.as_str() == field.name());
    let fields = stored.fields().chain(declared.fields().filter(is_new));
    Ok(StructType::try_new(fields.cloned())?)
}
