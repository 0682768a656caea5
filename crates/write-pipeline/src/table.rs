//! The table behind a dataset: created from its contract before anything is written, checked when it exists.

use std::collections::BTreeMap;

use arrow_schema::{Schema, SchemaRef};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel as _;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake_core::kernel::{
    Action, DataType, Metadata, MetadataExt as _, Protocol as ProtocolAction, StructField,
    StructType, new_metadata,
};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::table::state::DeltaTableState;
use ossature_delta_policy::{
    DeltaFeature, EnablementReport, Errors, FeatureGate, Protocol, ProtocolReport, ProtocolSupport,
    SchemaMode, SchemaPlan, TableChange, TableState, check_schema_mode, gate, maps_columns,
    plan_change, plan_features, plan_schema, render_properties, schema_key,
};
use ossature_registry::{
    OpenTable, TableLocation, commit_keys, keeps_names, open_table, protocol_of,
};
use ossature_schema_spec::{ColumnName, ColumnSpec, DatasetSpec, Version, from_stored, to_stored};
use serde_json::json;
use uuid::Uuid;

use crate::commit::{Transacted, check_metadata, check_transaction, recognise, rules};
use crate::constraint::{ConstraintCheck, constraints_of};
use crate::mapping::number_columns;
use crate::{Error, WriteMode, WriteRequest};

/// How often a table is opened that seems to be there and cannot be read.
const OPENINGS_MAX: u32 = 4;

/// A table that may be written as the request says.
pub(crate) struct WritableTable {
    pub(crate) open: OpenTable,
    /// What its protocol demands after the next commit, and whether the runtime provides it.
    pub(crate) protocol: ProtocolReport,
    /// What becomes of the features that were asked for.
    pub(crate) enablement: EnablementReport,
    /// The stored columns, before any change.
    pub(crate) stored: SchemaRef,
    /// What every row has to satisfy, by name.
    pub(crate) constraints: BTreeMap<String, String>,
    /// Those of them that the next commit puts on the table, which has rows that it keeps.
    pub(crate) new_constraints: BTreeMap<String, String>,
    /// What the next commit changes of its protocol and its metadata.
    pub(crate) changes: Vec<Action>,
    /// What a commit before it changes, if the next one lets rows of an append-only table go.
    pub(crate) release: Option<Release>,
}

/// The end of a table's append-only time, and nothing else: the runtime judges a commit by the table before it, so a commit
/// that removes rows cannot bring it itself.
pub(crate) struct Release {
    metadata: Metadata,
    set: BTreeMap<String, String>,
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
    let exists = async |open: OpenTable| match mode {
        // What is left of a creation whose rows never came: every other version of ours says what it holds.
        WriteMode::ErrorIfExists if open.version() == Version::new(0) && open.commit().ours => {
            Ok(open)
        }
        // Tried again, a write that created the table has nothing to do.
        WriteMode::ErrorIfExists if check_transaction(request, &open).await? == Transacted::No => {
            Err(Error::TableExists {
                dataset: contract.name().clone(),
                version: open.version(),
            })
        }
        _ => Ok(open),
    };
    let mut created = None;
    let open = match open_newest(location).await {
        Ok(open) => exists(open).await?,
        Err(ossature_registry::Error::NoTable { .. }) => {
            created = create(request).await?;
            let open = open_newest(location).await?;
            // Who loses a race of creators uses the winner's table, if it was created from the same contract.
            if created.is_some() {
                open
            } else {
                exists(open).await?
            }
        }
        Err(error) => return Err(error.into()),
    };
    judge(request, &open)
        .await?
        .into_table(request, open, created)
}

/// Opens the table of a dataset as it is, to see what a write would make of it.
///
/// **Errors**: those of [`open_or_create`], and that there is none.
pub(crate) async fn open_stored(request: &WriteRequest) -> Result<WritableTable, Error> {
    let open = open_newest(&request.location).await?;
    judge(request, &open).await?.into_table(request, open, None)
}

/// Looks whether the table of a dataset, or the one that would be created, may be written as the request says. Nothing is
/// written, and no row is looked at.
///
/// **Errors**: those of [`TableWriter::open`](crate::TableWriter::open) that follow from contract, policy and table; whether
/// the mode of the write fits is not looked at.
pub async fn check_table(request: &WriteRequest) -> Result<(), Error> {
    check_request(request)?;
    match open_newest(&request.location).await {
        Ok(open) => judge(request, &open).await.map(drop),
        Err(ossature_registry::Error::NoTable { .. }) => {
            let wanted = request.policy.feature_request();
            let plan = plan_features(None, &wanted).map_err(Error::Policy)?;
            judge_protocol(request, &plan.report.protocol_after).map(drop)
        }
        Err(error) => Err(error.into()),
    }
}

/// Refuses what no table can be written with.
pub(crate) fn check_request(request: &WriteRequest) -> Result<(), Error> {
    let WriteRequest {
        contract, policy, ..
    } = request;
    if request.mode != WriteMode::Compact {
        let is_all = matches!(
            request.mode,
            WriteMode::Overwrite | WriteMode::ErrorIfExists
        );
        check_schema_mode(policy.schema_mode.value, is_all).map_err(Errors::from)?;
    }
    check_metadata(&request.provenance.metadata)?;
    // A table that is created so could never be written again.
    if lets_rows_go(&request.mode) && policy.wanted_features().contains(&DeltaFeature::AppendOnly) {
        return Err(Error::AppendOnly {
            dataset: contract.name().clone(),
            mode: request.mode.as_str(),
        });
    }
    // What cannot be evaluated is not to become part of a table that is created.
    let schema = contract.arrow_schema();
    ConstraintCheck::try_new(contract, &schema, &policy.constraints.value).map(drop)
}

/// How a table is written that is there.
struct Judged {
    state: TableState,
    schema: SchemaPlan,
    change: TableChange,
    protocol: ProtocolReport,
    constraints: BTreeMap<String, String>,
    new_constraints: BTreeMap<String, String>,
}

impl Judged {
    fn into_table(
        self,
        request: &WriteRequest,
        open: OpenTable,
        created: Option<EnablementReport>,
    ) -> Result<WritableTable, Error> {
        let snapshot = open.snapshot()?;
        Ok(WritableTable {
            stored: snapshot.snapshot().arrow_schema(),
            changes: change_actions(request, snapshot, &self.change, &self.schema)?,
            release: self.release(request, snapshot)?,
            open,
            protocol: self.protocol,
            enablement: created.unwrap_or(self.change.report),
            constraints: self.constraints,
            new_constraints: self.new_constraints,
        })
    }

    fn release(
        &self,
        request: &WriteRequest,
        snapshot: &DeltaTableState,
    ) -> Result<Option<Release>, Error> {
        let feature = DeltaFeature::AppendOnly;
        let property = feature.spec().property.map(|property| property.key);
        let off = property.and_then(|key| self.change.set.get_key_value(key));
        let Some((key, value)) =
            off.filter(|_| lets_rows_go(&request.mode) && self.state.has_active(feature))
        else {
            return Ok(None);
        };
        let found = snapshot.metadata().clone();
        let metadata = found.add_config_key(key.clone(), value.clone());
        let metadata = metadata.map_err(DeltaTableError::from);
        Ok(Some(Release {
            metadata: metadata.map_err(Error::delta("changing a table's metadata"))?,
            set: BTreeMap::from([(key.clone(), value.clone())]),
        }))
    }
}

/// Compares a table with what is asked for.
async fn judge(request: &WriteRequest, open: &OpenTable) -> Result<Judged, Error> {
    let WriteRequest {
        contract,
        policy,
        mode,
        ..
    } = request;
    let snapshot = open.snapshot()?;
    let state = table_state(snapshot);
    let stored = snapshot.snapshot().arrow_schema();
    check_protocol(request, &state, &stored)?;
    if !matches!(mode, WriteMode::Append | WriteMode::ErrorIfExists) {
        open.check_removable().await?;
    }
    let schema = check_contract(request, snapshot)?;
    if maps_columns(&state.properties) && !schema.is_empty() {
        return Err(Error::MappedColumns {
            dataset: contract.name().clone(),
        });
    }
    if schema.replace
        && let Some(feature) = expressed(snapshot)
    {
        let reason =
            "columns of the table have expressions, which a schema that replaces them would drop";
        let refused = ossature_delta_policy::Error::CannotDisable { feature, reason };
        return Err(Error::Policy(refused.into()));
    }
    let constraints = constraints_of(&policy.constraints.value, &state, &stored);
    let mut new_constraints = policy.persisted_constraints().clone();
    if *mode == WriteMode::Overwrite || snapshot.log_data().num_files() == 0 {
        new_constraints.clear();
    }
    new_constraints.retain(|name, _| state.constraints().all(|(known, _)| known != name));
    let change = plan_change(&state, policy).map_err(Error::Policy)?;
    if lets_rows_go(mode)
        && state.has_active(DeltaFeature::AppendOnly)
        && !change.switches_off(DeltaFeature::AppendOnly)
    {
        return Err(Error::AppendOnly {
            dataset: contract.name().clone(),
            mode: mode.as_str(),
        });
    }
    let after = change.protocol.as_ref().unwrap_or(&state.protocol);
    Ok(Judged {
        protocol: judge_protocol(request, after)?,
        state,
        schema,
        change,
        constraints,
        new_constraints,
    })
}

/// Compares the protocol that a table is to have with what is asked for.
fn judge_protocol(request: &WriteRequest, protocol: &Protocol) -> Result<ProtocolReport, Error> {
    let report = gate_protocol(request, protocol);
    if report.is_compatible() {
        return Ok(report);
    }
    Err(Error::ProtocolRefused {
        dataset: request.contract.name().clone(),
        report: Box::new(report),
    })
}

/// Whether rows that are there may be gone after a write.
pub(crate) fn lets_rows_go(mode: &WriteMode) -> bool {
    match mode {
        WriteMode::Append | WriteMode::ErrorIfExists | WriteMode::Compact => false,
        WriteMode::Overwrite | WriteMode::Replace(_) | WriteMode::Merge => true,
    }
}

/// Commits that rows of an append-only table may go, and opens the table as it is from then on.
pub(crate) async fn commit_release(
    request: &WriteRequest,
    open: &OpenTable,
    release: Release,
) -> Result<OpenTable, Error> {
    let Release { metadata, set } = release;
    let attempt = Uuid::now_v7().to_string();
    let mut told = rules(request);
    told.insert(commit_keys::ATTEMPT.to_owned(), json!(attempt));
    let properties = CommitProperties::default()
        .with_metadata(told)
        .with_max_retries(0)
        .with_cleanup_expired_logs(Some(false));
    let commit = CommitBuilder::from(properties)
        .with_actions(vec![Action::Metadata(metadata)])
        .build(
            Some(open.snapshot()?.snapshot()),
            open.table().log_store(),
            DeltaOperation::SetTableProperties {
                properties: set.into_iter().collect(),
            },
        );
    // The version is opened below, which is all that the runtime would do behind the commit.
    let done = async { commit.into_prepared_commit_future().await?.await };
    let version = match done.await {
        Ok(done) => Version::new(done.version),
        Err(error) => {
            let read = open.version().number();
            let error = Error::commit(request.contract.name(), read, error);
            recognise(open, &attempt).await.ok_or(error)?
        }
    };
    Ok(open_table(&request.location, Some(version)).await?)
}

/// Opens a table that somebody else may be creating: its folder is seen before its first version is.
async fn open_newest(location: &TableLocation) -> Result<OpenTable, ossature_registry::Error> {
    let mut left = OPENINGS_MAX;
    loop {
        left -= 1;
        match open_table(location, None).await {
            Err(
                ossature_registry::Error::Delta { .. }
                | ossature_registry::Error::InvalidLog { .. },
            ) if left > 0 => {}
            opened => return opened,
        }
    }
}

/// Commits version 0: protocol, schema and properties, at once. Nothing when somebody else was faster.
///
/// The runtime's own builder is not used. It lists features as properties suggest, some for readers only, on which it
/// panics.
async fn create(request: &WriteRequest) -> Result<Option<EnablementReport>, Error> {
    let WriteRequest {
        contract,
        location,
        policy,
        ..
    } = request;
    let mut schema: StructType = (&to_stored(&contract.arrow_schema())).try_into_kernel()?;
    let failed = || Error::delta("making the first commit");
    let plan = plan_features(None, &policy.feature_request()).map_err(Error::Policy)?;
    let mut properties = render_properties(policy);
    if let Some(change) = plan.change {
        properties.extend(change.properties);
    }
    if maps_columns(&properties) {
        let numbered = number_columns(&schema);
        let numbered = numbered.map_err(|error| failed()(error.into()))?;
        schema = numbered.0;
        properties.insert(schema_key::MAX_COLUMN_ID.to_owned(), numbered.1.to_string());
    }
    let report = EnablementReport {
        properties_set: properties.clone(),
        ..plan.report
    };
    let metadata = new_metadata(&schema, contract.partition(), properties)
        .and_then(|metadata| metadata.with_name(contract.name().to_string()))
        .and_then(|metadata| metadata.with_description(contract.description().to_owned()))
        .map_err(|error| failed()(error.into()))?;
    let protocol = protocol_action(&report.protocol_after)?;
    let table = location.builder()?.build().map_err(failed())?;
    let properties = CommitProperties::default()
        .with_metadata(rules(request))
        .with_max_retries(0);
    let operation = DeltaOperation::Create {
        mode: SaveMode::ErrorIfExists,
        location: location.url().clone(),
        protocol: protocol.clone(),
        metadata: metadata.clone(),
    };
    let commit = CommitBuilder::from(properties)
        .with_actions(vec![Action::Protocol(protocol), Action::Metadata(metadata)])
        .build(None, table.log_store(), operation);
    // What the runtime does behind a commit is to load the table, which is opened anyway.
    let done = async { commit.into_prepared_commit_future().await?.await };
    match done.await {
        Ok(_) => Ok(Some(report)),
        Err(DeltaTableError::Transaction { source }) if Error::is_lost_race(&source) => Ok(None),
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
    let properties = snapshot.metadata().configuration().iter();
    TableState {
        protocol: protocol_of(snapshot),
        properties: properties
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    }
}

/// Refuses what would fail only when all files are stored, or would give other rows than were written.
fn check_protocol(
    request: &WriteRequest,
    state: &TableState,
    stored: &Schema,
) -> Result<(), Error> {
    check_writable(request, &state.protocol)?;
    let dataset = || request.contract.name().clone();
    if maps_columns(&state.properties) && !keeps_names(stored.fields()) {
        return Err(Error::MappedColumns { dataset: dataset() });
    }
    Ok(())
}

/// Refuses a protocol that the runtime does not write: whatever is done to such a table, it may lack what somebody else relies
/// on.
pub(crate) fn check_writable(request: &WriteRequest, protocol: &Protocol) -> Result<(), Error> {
    let report = gate_protocol(request, protocol);
    if report.is_writable() {
        return Ok(());
    }
    Err(Error::ProtocolRefused {
        dataset: request.contract.name().clone(),
        report: Box::new(report),
    })
}

/// Compares a protocol with what the policy wants and with what the runtime provides.
fn gate_protocol(request: &WriteRequest, found: &Protocol) -> ProtocolReport {
    let required = FeatureGate {
        min_reader_version: 0,
        min_writer_version: 0,
        features: request.policy.wanted_features(),
    };
    gate(&required, found, &ProtocolSupport::runtime())
}

/// Compares the stored schema with the contract; places of columns do not matter.
fn check_contract(request: &WriteRequest, snapshot: &DeltaTableState) -> Result<SchemaPlan, Error> {
    let contract = &request.contract;
    let stored = from_stored(&snapshot.snapshot().arrow_schema());
    let columns = stored.fields().iter().map(|field| {
        ColumnSpec::from_arrow(field).map_err(|_| Error::UnsupportedType {
            found: field.data_type().clone(),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let partition = snapshot.metadata().partition_columns().iter();
    let of_columns =
        partition.filter_map(|name| columns.iter().find(|it| it.name().as_str() == name));
    let partition: Vec<ColumnName> = of_columns.map(|column| column.name().clone()).collect();
    let mode = match request.mode {
        // It brings no rows, and so no columns.
        WriteMode::Compact => SchemaMode::Strict,
        _ => request.policy.schema_mode.value,
    };
    plan_schema(mode, contract, &columns, &partition).map_err(|errors| Error::ContractChanged {
        dataset: contract.name().clone(),
        errors,
    })
}

/// The protocol and the metadata that the next commit brings; nothing when the table has them.
fn change_actions(
    request: &WriteRequest,
    snapshot: &DeltaTableState,
    change: &TableChange,
    schema: &SchemaPlan,
) -> Result<Vec<Action>, Error> {
    let mut actions = Vec::new();
    if let Some(protocol) = &change.protocol {
        actions.push(Action::Protocol(protocol_action(protocol)?));
    }
    let changed = || -> Result<Metadata, DeltaTableError> {
        let mut metadata = with_columns(&request.contract, snapshot, schema)?;
        for (key, value) in &change.set {
            metadata = metadata.add_config_key(key.clone(), value.clone())?;
        }
        for key in &change.unset {
            metadata = metadata.remove_config_key(key)?;
        }
        Ok(metadata)
    };
    if !(schema.is_empty() && change.set.is_empty() && change.unset.is_empty()) {
        let metadata = changed().map_err(Error::delta("changing a table's metadata"))?;
        actions.push(Action::Metadata(metadata));
    }
    Ok(actions)
}

/// The stored metadata with the columns that are planned.
fn with_columns(
    contract: &DatasetSpec,
    snapshot: &DeltaTableState,
    schema: &SchemaPlan,
) -> Result<Metadata, DeltaTableError> {
    let found = snapshot.metadata();
    if schema.is_empty() {
        return Ok(found.clone());
    }
    let declared: StructType = (&to_stored(&contract.arrow_schema())).try_into_kernel()?;
    if schema.replace {
        let configuration = found.configuration().iter();
        return Ok(
            new_metadata(&declared, contract.partition(), configuration)?
                .with_table_id(found.id().to_owned())?
                .with_name(contract.name().to_string())?
                .with_description(contract.description().to_owned())?,
        );
    }
    // The stored columns stay in their places, and the new ones come behind them.
    let stored = snapshot.schema();
    let has = |names: &[ColumnName], field: &StructField| {
        names.iter().any(|name| name.as_str() == field.name())
    };
    let kept = stored.fields().map(|field| {
        let wanted = declared
            .field(field.name())
            .filter(|_| has(&schema.extend, field));
        wanted.map_or_else(|| Ok(field.clone()), |wanted| extended(field, wanted))
    });
    let kept = kept.collect::<Result<Vec<_>, _>>()?;
    let added = declared
        .fields()
        .filter(|field| has(&schema.add, field))
        .cloned();
    let columns = StructType::try_new(kept.into_iter().chain(added))?;
    Ok(found.clone().with_schema(&columns)?)
}

/// The field as it is wanted, with what the stored one says of itself. Fields are added to structures, and not inside of lists
/// and maps, which stay as they are.
fn extended(stored: &StructField, wanted: &StructField) -> Result<StructField, DeltaTableError> {
    let mut field = wanted.clone();
    field.metadata.clone_from(&stored.metadata);
    field.metadata.extend(wanted.metadata.clone());
    if let (DataType::Struct(stored), DataType::Struct(wanted)) =
        (&stored.data_type, &wanted.data_type)
    {
        let fields = wanted
            .fields()
            .map(|field| match stored.field(field.name()) {
                Some(stored) => extended(stored, field),
                None => Ok(field.clone()),
            });
        let fields = fields.collect::<Result<Vec<_>, _>>()?;
        field.data_type = DataType::Struct(Box::new(StructType::try_new(fields)?));
    } else {
        field.data_type = stored.data_type.clone();
    }
    Ok(field)
}

/// What makes a column of the table more than a place for values, at whatever depth.
fn expressed(snapshot: &DeltaTableState) -> Option<DeltaFeature> {
    fn of_type(data_type: &DataType) -> Option<DeltaFeature> {
        match data_type {
            DataType::Struct(inner) => inner.fields().find_map(of_field),
            DataType::Array(inner) => of_type(&inner.element_type),
            DataType::Map(inner) => of_type(&inner.key_type).or_else(|| of_type(&inner.value_type)),
            _ => None,
        }
    }
    fn of_field(field: &StructField) -> Option<DeltaFeature> {
        let has = |key| field.metadata.contains_key(key);
        if has(schema_key::INVARIANT) {
            Some(DeltaFeature::Invariants)
        } else if has(schema_key::GENERATION_EXPRESSION) {
            Some(DeltaFeature::GeneratedColumns)
        } else {
            of_type(&field.data_type)
        }
    }
    snapshot.schema().fields().find_map(of_field)
}
