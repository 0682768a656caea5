//! Table features: what the linked runtime does with each, and what our reader and our writer make of tables that
//! somebody else gave it to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch};
use deltalake_core::kernel::transaction::PROTOCOL;
use ossature_delta_policy::{
    DeltaFeature, FEATURES, FeatureGate, FeatureSpec, Protocol, ProtocolSupport, Side, Support,
    gate,
};
use ossature_registry::{Error, SessionSpec, StoredTable, TableLocation, open_stored, open_table};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
use ossature_tests::{Failure, HandMade, TemporaryLake, request, write};
use ossature_write_pipeline::WriteMode;
use serde_json::{Value, json};

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
        let request = request(&self.lake.lake, &ids_contract()?, 100, mode)?;
        write(request, 1, [rows]).await.map(drop)
    }

    /// Every file below the table's folder, the log included.
    fn files(&self) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
        let mut files = BTreeMap::new();
        list(self.table.folder(), &mut files)?;
        Ok(files)
    }

    /// The actions of the log, in the order of versions.
    fn actions(&self) -> Result<Vec<Value>, Failure> {
        let mut actions = Vec::new();
        for (name, bytes) in self.files()? {
            if name.ends_with(".json") {
                for line in String::from_utf8(bytes)?.lines() {
                    actions.push(serde_json::from_str(line)?);
                }
            }
        }
        Ok(actions)
    }

    /// Asserts that a write fails without leaving anything behind.
    async fn check_refused(&self, mode: WriteMode, rows: RecordBatch) -> Result<String, Failure> {
        let before = self.files()?;
        let refused = self.write(mode, rows).await;
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
        let actions = theirs.actions()?;
        let of = |name: &str| -> Vec<&Value> {
            let found = actions.iter().filter_map(|action| action.get(name));
            found.collect()
        };
        let protocol = protocol_of(row);
        assert_eq!(of("protocol"), [&protocol["protocol"]], "{}", row.name);
        let metadata = of("metaData");
        assert_eq!(metadata.len(), 2, "{}", row.name);
        assert_eq!(metadata[0]["id"], metadata[1]["id"], "{}", row.name);
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
        theirs.check_refused(WriteMode::Append, ids([-1])?).await?;
        theirs
            .check_refused(WriteMode::Overwrite, ids([-1])?)
            .await?;
    }
    Ok(())
}

#[tokio::test]
async fn rows_that_violate_an_invariant_are_not_written() -> Result<(), Failure> {
    let rule = json!({"expression": {"expression": "id > 0"}}).to_string();
    let field = id_field(&json!({"delta.invariants": rule}));
    let theirs = Theirs::try_new(&HandMade::versions(1, 2), &field, &json!({}))?;
    theirs.check_refused(WriteMode::Append, ids([-1])?).await?;
    Ok(())
}

#[tokio::test]
async fn values_other_than_the_generated_ones_are_not_written() -> Result<(), Failure> {
    let field = id_field(&json!({"delta.generationExpression": "7"}));
    let theirs = Theirs::try_new(&HandMade::versions(1, 4), &field, &json!({}))?;
    theirs.check_refused(WriteMode::Append, ids([8])?).await?;
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
        theirs
            .check_refused(WriteMode::Overwrite, ids([4])?)
            .await?;
        theirs.write(WriteMode::Append, ids([4])?).await?;
        assert_eq!(theirs.ids().await?, [1, 2, 3, 4]);
    }
    Ok(())
}

/// Files of such a table have other names for the columns than the contract: ours would be read as nulls.
#[tokio::test]
async fn mapped_columns_are_not_written_under_their_logical_names() -> Result<(), Failure> {
    for mode in ["name", "id"] {
        let field = id_field(&json!({
            "delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "id",
        }));
        let properties = json!({
            "delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "1",
        });
        for protocol in [
            HandMade::versions(2, 5),
            HandMade::features(&["columnMapping"], &["columnMapping"]),
        ] {
            let theirs = Theirs::try_new(&protocol, &field, &properties)?;
            theirs.check_refused(WriteMode::Append, ids([4])?).await?;
            theirs
                .check_refused(WriteMode::Overwrite, ids([4])?)
                .await?;
        }
    }
    Ok(())
}
