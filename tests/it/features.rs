//! Table features: what the linked runtime does with each, and what our reader and our writer make of tables that
//! somebody else gave it to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use buoyant_kernel::table_features::TableFeature;
use deltalake_core::kernel::transaction::PROTOCOL;
use ossature_delta_policy::{
    ColumnMapping, DeltaFeature, Enablement, FEATURES, FeatureGate, FeatureSpec, PolicyOverrides,
    Protocol, ProtocolSupport, SchemaMode, Side, Support, TablePolicy, gate, resolve,
};
use ossature_registry::{
    Error, ScanMode, SessionSpec, StoredTable, TableLocation, open_stored, open_table,
};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec, FieldSpec};
use ossature_tests::{Failure, HandMade, TemporaryLake, code_of, request, write};
use ossature_write_pipeline::WriteMode;
use serde_json::{Value, json};
use strum::IntoEnumIterator as _;

const NAME: &str = "cpg.theirs";

/// `id`, never null, in order.
fn ids_contract() -> Result<DatasetSpec, Failure> {
    Ok(DatasetSpec::builder(NAME, "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .order_by(["id"])
        .build()?)
}

fn ids(ids: impl IntoIterator<Item = i64>) -> Result<RecordBatch, Failure> {
    let ids = Int64Array::from_iter_values(ids);
    Ok(RecordBatch::try_from_iter([("id", Arc::new(ids) as _)])?)
}

/// A table of somebody else in a lake: the ids 1 to 3.
struct Theirs {
    lake: TemporaryLake,
    table: HandMade,
}

impl Theirs {
    fn try_new(protocol: &Value, field: &Value, properties: &Value) -> Result<Self, Failure> {
        let lake = TemporaryLake::try_new()?;
        let mut table = HandMade::try_new(lake.location(NAME)?.to_string())?;
        let add = table.add("theirs.parquet", &ids(1..=3)?, &json!({}))?;
        let metadata = HandMade::metadata(&json!([field]), &[], properties);
        table.commit(&[protocol.clone(), metadata, add])?;
        Ok(Self { lake, table })
    }

    /// A table whose column declares nothing in particular.
    fn plain(protocol: &Value, properties: &Value) -> Result<Self, Failure> {
        Self::try_new(protocol, &id_field(&json!({})), properties)
    }

    async fn open(&self) -> Result<StoredTable, Error> {
        let folder = self.table.folder().to_string_lossy();
        open_stored(&TableLocation::try_new(&folder)?, None).await
    }

    async fn ids(&self) -> Result<Vec<i64>, Failure> {
        let session = SessionSpec::default().build()?;
        session.register_table("t", self.open().await?.provider())?;
        let frame = session.sql("SELECT id FROM t ORDER BY id").await?;
        let mut ids = Vec::new();
        for batch in frame.collect().await? {
            ids.extend(batch.column(0).as_primitive::<Int64Type>().values());
        }
        Ok(ids)
    }

    async fn write(&self, mode: WriteMode, rows: RecordBatch) -> Result<(), Failure> {
        self.write_with(&TablePolicy::default(), mode, rows).await
    }

    async fn write_with(
        &self,
        policy: &TablePolicy,
        mode: WriteMode,
        rows: RecordBatch,
    ) -> Result<(), Failure> {
        let (contract, nothing) = (ids_contract()?, PolicyOverrides::none());
        let mut request = request(&self.lake.lake, &contract, 100, mode)?;
        request.policy = resolve(&nothing, &nothing, &contract, policy, &[])?;
        write(request, 1, [rows]).await.map(drop)
    }

    /// Every file below the table's folder, the log included.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let mut files = BTreeMap::new();
        list(self.table.folder(), &mut files)?;
        Ok(files)
    }

    /// The actions of every version.
    fn log(&self) -> Result<Vec<Vec<Value>>, Failure> {
        let mut versions = Vec::new();
        for (name, bytes) in self.files()? {
            if Path::new(&name).extension().is_some_and(|it| it == "json") {
                let lines = String::from_utf8(bytes)?;
                let actions = lines.lines().map(serde_json::from_str);
                versions.push(actions.collect::<Result<_, _>>()?);
            }
        }
        Ok(versions)
    }

    /// What a kind of action says, wherever there is one in the log.
    fn actions(&self, name: &str) -> Result<Vec<Value>, Failure> {
        let actions = self.log()?.concat();
        let found = actions.iter().filter_map(|action| action.get(name));
        Ok(found.cloned().collect())
    }

    /// Asserts that a write fails without leaving anything behind.
    async fn check_refused(&self, mode: WriteMode, rows: RecordBatch) -> Result<String, Failure> {
        self.check_refused_with(&TablePolicy::default(), mode, rows)
            .await
    }

    async fn check_refused_with(
        &self,
        policy: &TablePolicy,
        mode: WriteMode,
        rows: RecordBatch,
    ) -> Result<String, Failure> {
        let before = self.files()?;
        let refused = self.write_with(policy, mode, rows).await;
        let after = self.files()?;
        let names =
            |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> { files.keys().cloned().collect() };
        assert_eq!(names(&after), names(&before), "{refused:?}");
        assert_eq!(after, before);
        let refused = refused.err().ok_or("the rows were written")?;
        let refused = refused.downcast::<ossature_write_pipeline::Error>()?;
        Ok(refused.code().to_owned())
    }
}

fn list(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.insert(path.to_string_lossy().into_owned(), std::fs::read(&path)?);
        }
    }
    Ok(())
}

fn id_field(metadata: &Value) -> Value {
    HandMade::field("id", "long", false, metadata)
}

/// The feature with all that it requires.
fn closure(feature: DeltaFeature) -> BTreeSet<DeltaFeature> {
    let mut all = BTreeSet::from([feature]);
    for required in feature.spec().requires {
        all.extend(closure(*required));
    }
    all
}

/// The protocol of a table that has the feature.
fn protocol_of(row: &FeatureSpec) -> Value {
    let all = closure(row.feature);
    let names = |is_wanted: fn(Side) -> bool| -> Vec<&str> {
        let wanted = all.iter().filter(|it| is_wanted(it.spec().side));
        wanted.map(|feature| feature.name()).collect()
    };
    HandMade::features(
        &names(|side| side == Side::ReaderAndWriter),
        &names(|_| true),
    )
}

/// What [`FEATURES`] says of a table that has the feature: the least of what it says of all that it requires.
fn support_of(row: &FeatureSpec) -> Support {
    let all = closure(row.feature);
    let least = all.iter().map(|it| it.spec().support).min();
    least.unwrap_or(row.support)
}

/// What the linked runtime does with a table.
async fn probe(table: &Theirs) -> Result<Support, Failure> {
    let Ok(open) = open_table(&table.lake.location(NAME)?, None).await else {
        return Ok(Support::Refused);
    };
    let snapshot = open.table().snapshot()?;
    Ok(if PROTOCOL.can_write_to(snapshot.snapshot()).is_ok() {
        Support::Writable
    } else if PROTOCOL.can_read_from_protocol(snapshot.protocol()).is_ok() {
        Support::ReadOnly
    } else {
        Support::Refused
    })
}

/// An upgrade of the runtime whose kernel knows one more by name fails here.
#[test]
fn every_feature_that_the_kernel_knows_is_in_the_table() {
    let known = TableFeature::iter().filter(|feature| !matches!(feature, TableFeature::Unknown(_)));
    let missing: Vec<String> = known
        .map(|feature| feature.to_string())
        .filter(|name| DeltaFeature::from_name(name).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// An upgrade of the runtime that learns or forgets a feature fails here: [`FEATURES`] is to follow.
#[tokio::test]
async fn the_runtime_supports_what_the_table_of_features_says() -> Result<(), Failure> {
    let mut differences = Vec::new();
    for row in FEATURES {
        let found = probe(&Theirs::plain(&protocol_of(row), &json!({}))?).await?;
        let said = support_of(row);
        if found != said {
            differences.push(format!("{}: said {said:?}, found {found:?}", row.name));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    let unknown = HandMade::features(&["unheardOf"], &["unheardOf"]);
    let unknown = probe(&Theirs::plain(&unknown, &json!({}))?).await?;
    assert_eq!(unknown, Support::Refused);
    Ok(())
}

#[tokio::test]
async fn the_runtime_supports_the_versions_that_the_gate_lets_through() -> Result<(), Failure> {
    for reader in 1..=2 {
        for writer in 1..=6 {
            let found = probe(&Theirs::plain(
                &HandMade::versions(reader, writer),
                &json!({}),
            )?)
            .await?;
            let protocol = Protocol::versions(reader, writer);
            let said = gate(
                &FeatureGate::default(),
                &protocol,
                &ProtocolSupport::runtime(),
            );
            assert_eq!(found >= Support::ReadOnly, said.is_readable(), "{protocol}");
            assert_eq!(found == Support::Writable, said.is_writable(), "{protocol}");
        }
    }
    for (reader, writer) in [(4, 7), (3, 8)] {
        let protocol = json!({"protocol": {
            "minReaderVersion": reader, "minWriterVersion": writer,
            "readerFeatures": [], "writerFeatures": [],
        }});
        let found = probe(&Theirs::plain(&protocol, &json!({}))?).await?;
        assert_eq!(found, Support::Refused, "{reader}, {writer}");
    }
    Ok(())
}

/// What is written is the gate's word: tables are read or refused, written or left as they were.
#[tokio::test]
async fn every_feature_is_honoured_or_refused() -> Result<(), Failure> {
    for row in FEATURES {
        let theirs = Theirs::plain(&protocol_of(row), &json!({}))?;
        let support = support_of(row);
        if support == Support::Refused {
            let refused = theirs.open().await.err().map(|error| error.code());
            assert_eq!(refused, Some("unsupported_table"), "{}", row.name);
        } else {
            assert_eq!(theirs.ids().await?, [1, 2, 3], "{}", row.name);
        }
        if support < Support::Writable {
            for mode in [WriteMode::Append, WriteMode::Overwrite] {
                let code = theirs.check_refused(mode, ids([4])?).await?;
                let known = ["protocol_refused", "unsupported_table"];
                assert!(known.contains(&code.as_str()), "{}: {code}", row.name);
            }
            continue;
        }
        theirs.write(WriteMode::Append, ids([4])?).await?;
        assert_eq!(theirs.ids().await?, [1, 2, 3, 4], "{}", row.name);
        theirs.write(WriteMode::Overwrite, ids([5])?).await?;
        assert_eq!(theirs.ids().await?, [5], "{}", row.name);
        // Nobody asked for another protocol. The first write sets the properties of the policy, and no other does.
        let protocol = protocol_of(row)["protocol"].clone();
        assert_eq!(theirs.actions("protocol")?, [protocol], "{}", row.name);
        let metadata = theirs.actions("metaData")?;
        assert_eq!(metadata.len(), 2, "{}", row.name);
        assert_eq!(metadata[0]["id"], metadata[1]["id"], "{}", row.name);
    }
    Ok(())
}

/// The protocol of an action.
fn protocol(action: &Value) -> Protocol {
    let version = |key: &str| {
        let version = action[key].as_u64();
        version
            .and_then(|it| u32::try_from(it).ok())
            .unwrap_or_default()
    };
    let names = |key: &str| {
        let names = action[key].as_array().into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Protocol {
        min_reader_version: version("minReaderVersion"),
        min_writer_version: version("minWriterVersion"),
        reader_features: names("readerFeatures"),
        writer_features: names("writerFeatures"),
    }
}

/// Asserts that the newest protocol allows the feature, and that the newest properties switch it on.
fn check_active(theirs: &Theirs, row: &FeatureSpec) -> Result<(), Failure> {
    let found = theirs.actions("protocol")?;
    let found = protocol(found.last().ok_or("no protocol")?);
    assert!(found.allows(row.feature), "{}: {found}", row.name);
    let metadata = theirs.actions("metaData")?;
    let properties = &metadata.last().ok_or("no metadata")?["configuration"];
    if let Some(property) = row.property {
        assert_eq!(properties[property.key], property.on, "{}", row.name);
    }
    Ok(())
}

/// A policy that asks for the feature, by its name or by the field that it follows from.
fn policy_with(row: &FeatureSpec) -> TablePolicy {
    let policy = TablePolicy::default().allow_protocol_upgrade(true);
    match row.feature {
        DeltaFeature::ChangeDataFeed => policy.change_feed(true),
        DeltaFeature::CheckConstraints => {
            let policy = policy.constraints([("positive", "id > 0")]);
            policy.persist_constraints(true)
        }
        DeltaFeature::ColumnMapping => policy.column_mapping(ColumnMapping::Name),
        feature => policy.features([feature]),
    }
}

/// Columns decide whether timestamps have zones, and no policy.
fn is_asked_for(row: &FeatureSpec) -> bool {
    row.feature != DeltaFeature::TimestampNtz
}

#[tokio::test]
async fn timestamps_without_a_zone_are_listed_as_a_feature() -> Result<(), Failure> {
    let contract = DatasetSpec::builder(NAME, "")
        .column(ColumnSpec::required("at", ColumnType::TimestampNtz)?)
        .order_by(["at"])
        .build()?;
    let theirs = absent()?;
    let at = TimestampMicrosecondArray::from(vec![7]);
    let rows = RecordBatch::try_from_iter([("at", Arc::new(at) as _)])?;
    let nothing = PolicyOverrides::none();
    let policy = TablePolicy::default().allow_protocol_upgrade(true);
    let mut request = request(&theirs.lake.lake, &contract, 100, WriteMode::Append)?;
    request.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
    write(request, 1, [rows]).await?;
    check_active(&theirs, DeltaFeature::TimestampNtz.spec())
}

/// A table that is not there yet.
fn absent() -> Result<Theirs, Failure> {
    let lake = TemporaryLake::try_new()?;
    let table = HandMade::try_new(lake.location(NAME)?.to_string())?;
    std::fs::remove_dir_all(table.folder())?;
    Ok(Theirs { lake, table })
}

/// Creates a table with the feature in its first commit, or leaves nothing behind.
async fn check_creation(row: &FeatureSpec, policy: &TablePolicy) -> Result<(), Failure> {
    let theirs = absent()?;
    let written = theirs.write_with(policy, WriteMode::Append, ids([1])?);
    if let Err(refused) = written.await {
        let is_refused = matches!(row.enablement, Enablement::Refused(_));
        assert!(is_refused, "{}: {refused:?}", row.name);
        let left = theirs.files().unwrap_or_default().into_keys();
        assert_eq!(left.count(), 0, "{}: {refused:?}", row.name);
        return Ok(());
    }
    let is_refused = matches!(row.enablement, Enablement::Refused(_));
    assert!(!is_refused, "{}", row.name);
    let again = theirs.write_with(policy, WriteMode::Append, ids([2])?);
    again.await?;
    assert_eq!(theirs.ids().await?, [1, 2], "{}", row.name);
    check_active(&theirs, row)?;
    // All in the first commit, and nothing of it in another.
    for (at, actions) in theirs.log()?.iter().enumerate() {
        for name in ["protocol", "metaData"] {
            let has = actions.iter().any(|action| !action[name].is_null());
            assert_eq!(has, at == 0, "{}: {name} in {at}", row.name);
        }
    }
    Ok(())
}

#[tokio::test]
async fn features_are_there_from_the_first_commit_on() -> Result<(), Failure> {
    for row in FEATURES {
        if is_asked_for(row) {
            check_creation(row, &policy_with(row)).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn columns_are_mapped_from_the_first_commit_on() -> Result<(), Failure> {
    for mapping in [ColumnMapping::Name, ColumnMapping::Id] {
        let policy = TablePolicy::default().allow_protocol_upgrade(true);
        let policy = policy.column_mapping(mapping);
        let theirs = absent()?;
        let write = async |id| {
            theirs
                .write_with(&policy, WriteMode::Append, ids([id])?)
                .await
        };
        write(1).await?;
        write(2).await?;
        assert_eq!(theirs.ids().await?, [1, 2]);
        let metadata = theirs.actions("metaData")?;
        assert_eq!(metadata.len(), 1);
        let mode = &metadata[0]["configuration"]["delta.columnMapping.mode"];
        assert_eq!(*mode, mapping.to_string());
    }
    Ok(())
}

#[tokio::test]
async fn features_enter_a_table_that_exists_in_one_commit() -> Result<(), Failure> {
    for row in FEATURES.iter().filter(|row| is_asked_for(row)) {
        let theirs = Theirs::plain(
            &HandMade::versions(1, 2),
            &json!({"delta.appendOnly": "false"}),
        )?;
        let policy = policy_with(row);
        let before = theirs.files()?;
        let written = theirs
            .write_with(&policy, WriteMode::Append, ids([4])?)
            .await;
        if row.enablement != Enablement::AtCreation {
            assert!(written.is_err(), "{}", row.name);
            assert_eq!(theirs.files()?, before, "{}", row.name);
            continue;
        }
        written.map_err(|error| format!("{}: {error}", row.name))?;
        check_active(&theirs, row)?;
        let (versions, metadata) = (theirs.log()?.len(), theirs.actions("metaData")?.len());
        assert!(
            versions <= 3 && metadata <= 2,
            "{}: {versions}, {metadata}",
            row.name
        );
        // What is there is not asked for again.
        theirs
            .write_with(&policy, WriteMode::Append, ids([5])?)
            .await?;
        assert_eq!(theirs.ids().await?, [1, 2, 3, 4, 5], "{}", row.name);
        assert_eq!(theirs.log()?.len(), versions + 1, "{}", row.name);
        assert_eq!(theirs.actions("metaData")?.len(), metadata, "{}", row.name);
    }
    Ok(())
}

/// Such tables have no room for a protocol that others could not open, unless the policy says so.
#[tokio::test]
async fn features_that_shut_others_out_are_asked_for_twice() -> Result<(), Failure> {
    for feature in [DeltaFeature::DeletionVectors, DeltaFeature::V2Checkpoint] {
        let theirs = Theirs::plain(&HandMade::versions(1, 2), &json!({}))?;
        let before = theirs.files()?;
        let policy = TablePolicy::default().features([feature]);
        let written = theirs
            .write_with(&policy, WriteMode::Append, ids([4])?)
            .await;
        assert!(written.is_err(), "{feature}");
        assert_eq!(theirs.files()?, before, "{feature}");
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_violate_a_constraint_are_not_written() -> Result<(), Failure> {
    let constraint = json!({"delta.constraints.positive": "id > 0"});
    for protocol in [
        HandMade::versions(1, 3),
        HandMade::features(&[], &["checkConstraints"]),
    ] {
        let theirs = Theirs::plain(&protocol, &constraint)?;
        for mode in [WriteMode::Append, WriteMode::Overwrite] {
            let code = theirs.check_refused(mode, ids([-1])?).await?;
            assert_eq!(code, "constraint_violated");
        }
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_violate_an_invariant_are_not_written() -> Result<(), Failure> {
    let rule = json!({"expression": {"expression": "id > 0"}}).to_string();
    let field = id_field(&json!({"delta.invariants": rule}));
    let theirs = Theirs::try_new(&HandMade::versions(1, 2), &field, &json!({}))?;
    let code = theirs.check_refused(WriteMode::Append, ids([-1])?).await?;
    assert_eq!(code, "constraint_violated");
    Ok(())
}

#[tokio::test]
async fn values_other_than_the_generated_ones_are_not_written() -> Result<(), Failure> {
    let field = id_field(&json!({"delta.generationExpression": "7"}));
    let theirs = Theirs::try_new(&HandMade::versions(1, 4), &field, &json!({}))?;
    let code = theirs.check_refused(WriteMode::Append, ids([8])?).await?;
    assert_eq!(code, "constraint_violated");
    Ok(())
}

/// What other writers say of columns is not dropped in passing.
#[tokio::test]
async fn columns_with_expressions_are_replaced_by_no_schema() -> Result<(), Failure> {
    let rule = json!({"expression": {"expression": "id > 0"}}).to_string();
    let one = [
        (json!({"delta.invariants": rule}), HandMade::versions(1, 2)),
        (
            json!({"delta.generationExpression": "7"}),
            HandMade::versions(1, 4),
        ),
    ];
    let nested = |metadata: &Value| {
        let inner = json!({"type": "struct", "fields": [id_field(metadata)]});
        json!({"name": "s", "type": inner, "nullable": true, "metadata": {}})
    };
    for (metadata, protocol) in one {
        for fields in [
            vec![id_field(&metadata)],
            vec![id_field(&json!({})), nested(&metadata)],
        ] {
            let lake = TemporaryLake::try_new()?;
            let mut table = HandMade::try_new(lake.location(NAME)?.to_string())?;
            let metadata = HandMade::metadata(&json!(fields), &[], &json!({}));
            table.commit(&[protocol.clone(), metadata])?;
            let theirs = Theirs { lake, table };
            let contract = DatasetSpec::builder(NAME, "")
                .column(ColumnSpec::required("id", ColumnType::Utf8)?)
                .build()?;
            let policy = TablePolicy::default().schema_mode(SchemaMode::Replace);
            let (before, nothing) = (theirs.files()?, PolicyOverrides::none());
            let mut request = request(&theirs.lake.lake, &contract, 100, WriteMode::Overwrite)?;
            request.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
            let ids = StringArray::from(vec!["a"]);
            let rows = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)])?;
            let refused = write(request, 1, [rows]).await.err();
            let said = refused.as_ref().map(ToString::to_string);
            assert_eq!(refused.as_ref().and_then(code_of), Some("policy_refused"));
            let said = said.unwrap_or_default();
            assert!(said.contains("cannot be disabled safely"), "{said}");
            assert_eq!(theirs.files()?, before);
        }
    }
    Ok(())
}

/// A nested field that is new changes nothing in what is said of those that were there.
#[tokio::test]
async fn columns_that_get_fields_keep_what_is_said_of_them() -> Result<(), Failure> {
    let noted = json!({"delta.note": "kept", "comment": "theirs"});
    let field = |name: &str, data_type: Value| json!({"name": name, "type": data_type, "nullable": true, "metadata": noted});
    let struct_of = |field: Value| json!({"type": "struct", "fields": [field]});
    let list = |inner: Value| json!({"type": "array", "elementType": inner, "containsNull": true});
    let listed = list(struct_of(field("of_list", json!("long"))));
    let inner =
        json!({"type": "struct", "fields": [field("a", json!("long")), field("l", listed)]});
    let outer = struct_of(field("inner", inner));
    let fields = json!([id_field(&json!({})), field("outer", outer)]);
    let lake = TemporaryLake::try_new()?;
    let mut table = HandMade::try_new(lake.location(NAME)?.to_string())?;
    let metadata = HandMade::metadata(&fields, &[], &json!({}));
    table.commit(&[HandMade::versions(1, 2), metadata])?;
    let theirs = Theirs { lake, table };

    let long = |name| FieldSpec::nullable(name, ColumnType::Int64);
    let listed = ColumnType::Struct(vec![long("of_list")?]);
    let listed = ColumnType::List(Box::new(FieldSpec::nullable("element", listed)?));
    let listed = FieldSpec::nullable("l", listed)?;
    let inner = ColumnType::Struct(vec![long("b")?, long("a")?, listed]);
    let outer = vec![long("new")?, FieldSpec::nullable("inner", inner)?];
    let contract = DatasetSpec::builder(NAME, "")
        .column(ColumnSpec::required("id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("outer", ColumnType::Struct(outer))?)
        .build()?;
    let nothing = PolicyOverrides::none();
    let policy = TablePolicy::default().schema_mode(SchemaMode::Additive);
    let mut request = request(&theirs.lake.lake, &contract, 100, WriteMode::Append)?;
    request.policy = resolve(&nothing, &nothing, &contract, &policy, &[])?;
    let rows = RecordBatch::new_empty(contract.arrow_schema());
    write(request, 1, [rows]).await?;

    let metadata = theirs.actions("metaData")?;
    let schema = metadata.last().and_then(|it| it["schemaString"].as_str());
    let schema: Value = serde_json::from_str(schema.ok_or("no schema")?)?;
    let told = |field: &Value| (field["name"].clone(), field["metadata"].clone());
    let outer = &schema["fields"][1];
    let inner = &outer["type"]["fields"][1];
    assert_eq!(told(outer), (json!("outer"), noted.clone()));
    assert_eq!(told(&outer["type"]["fields"][0]), (json!("new"), json!({})));
    assert_eq!(told(inner), (json!("inner"), noted.clone()));
    assert_eq!(told(&inner["type"]["fields"][0]), (json!("b"), json!({})));
    assert_eq!(
        told(&inner["type"]["fields"][1]),
        (json!("a"), noted.clone())
    );
    let listed = &inner["type"]["fields"][2]["type"]["elementType"]["fields"][0];
    assert_eq!(told(listed), (json!("of_list"), noted));
    Ok(())
}

/// Files of ours in a table that somebody else took further than the runtime reads.
#[tokio::test]
async fn a_table_of_ours_is_read_no_further_than_its_protocol_is_known() -> Result<(), Failure> {
    let theirs = absent()?;
    theirs.write(WriteMode::Append, ids(1..=3)?).await?;
    assert_eq!(theirs.open().await?.mode(), ScanMode::Direct);
    // The newest commit looks like one of ours, with a feature that does not stop the log from being loaded.
    let mut newest = theirs.log()?.pop().ok_or("no commit")?;
    newest.retain(|action| action.get("commitInfo").is_some());
    let features = ["typeWidening", "appendOnly", "invariants"];
    newest.push(HandMade::features(&features[..1], &features));
    let log = theirs.table.folder().join("_delta_log");
    let lines = newest.iter().map(|action| format!("{action}\n"));
    std::fs::write(
        log.join(format!("{:020}.json", 2)),
        lines.collect::<String>(),
    )?;
    let refused = theirs.open().await.err().map(|error| error.code());
    assert_eq!(refused, Some("unsupported_table"));
    Ok(())
}

#[tokio::test]
async fn identities_are_not_written() -> Result<(), Failure> {
    let field = id_field(&json!({
        "delta.identity.start": 1, "delta.identity.step": 1,
        "delta.identity.allowExplicitInsert": false,
    }));
    for protocol in [
        HandMade::versions(1, 6),
        HandMade::features(&[], &["identityColumns"]),
    ] {
        let theirs = Theirs::try_new(&protocol, &field, &json!({}))?;
        let code = theirs.check_refused(WriteMode::Append, ids([4])?).await?;
        assert_eq!(code, "protocol_refused");
    }
    Ok(())
}

#[tokio::test]
async fn tables_that_only_grow_are_appended_to_and_not_overwritten() -> Result<(), Failure> {
    let append_only = json!({"delta.appendOnly": "true"});
    for protocol in [
        HandMade::versions(1, 2),
        HandMade::features(&[], &["appendOnly"]),
    ] {
        let theirs = Theirs::plain(&protocol, &append_only)?;
        let code = theirs.check_refused(WriteMode::Overwrite, ids([4])?);
        assert_eq!(code.await?, "append_only");
        theirs.write(WriteMode::Append, ids([4])?).await?;
        assert_eq!(theirs.ids().await?, [1, 2, 3, 4]);
        // Nobody said that it may do anything else from now on.
        theirs
            .check_refused(WriteMode::Overwrite, ids([5])?)
            .await?;
    }
    Ok(())
}

/// Files of such a table have other names for the columns than the contract: ours would be read as nulls.
#[tokio::test]
async fn mapped_columns_are_not_written_under_their_logical_names() -> Result<(), Failure> {
    for mapping in [ColumnMapping::Name, ColumnMapping::Id] {
        let field = id_field(&json!({
            "delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1",
        }));
        let properties = json!({
            "delta.columnMapping.mode": mapping.to_string(), "delta.columnMapping.maxColumnId": "1",
        });
        // It asks for what the table has: nothing but the names is in the way.
        let policy = TablePolicy::default().column_mapping(mapping);
        for protocol in [
            HandMade::versions(2, 5),
            HandMade::features(&["columnMapping"], &["columnMapping"]),
        ] {
            let theirs = Theirs::try_new(&protocol, &field, &properties)?;
            for mode in [WriteMode::Append, WriteMode::Overwrite, WriteMode::Compact] {
                let code = theirs.check_refused_with(&policy, mode, ids([4])?).await?;
                assert_eq!(code, "mapped_columns", "{mapping}");
            }
        }
    }
    Ok(())
}
