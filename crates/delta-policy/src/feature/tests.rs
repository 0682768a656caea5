//! The catalogue as a table, and what has to hold for every row.

use expect_test::expect;

use super::*;

fn render(row: &FeatureSpec) -> String {
    let legacy = row.legacy.map_or("listed".to_owned(), |legacy| {
        format!("({}, {})", legacy.reader, legacy.writer)
    });
    let enablement = match row.enablement {
        Enablement::AtCreation => "at creation".to_owned(),
        Enablement::OnlyAtCreation(_) => "only at creation".to_owned(),
        Enablement::Refused(_) => "refused".to_owned(),
    };
    let property = row.property.map_or(String::new(), |property| {
        format!(" {}={}", property.key, property.on)
    });
    format!(
        "{}: {:?} {legacy} {:?}, {enablement}{property}",
        row.name, row.side, row.support
    )
}

#[test]
fn the_catalogue_of_features() {
    let lines: Vec<String> = FEATURES.iter().map(render).collect();
    expect![[r#"
        adaptiveMetadata-preview: ReaderAndWriter listed Refused, refused
        allowColumnDefaults: Writer listed ReadOnly, refused
        appendOnly: Writer (1, 2) Writable, at creation delta.appendOnly=true
        catalogManaged: ReaderAndWriter listed Refused, refused
        catalogOwned-preview: ReaderAndWriter listed Refused, refused
        changeDataFeed: Writer (1, 4) Writable, at creation delta.enableChangeDataFeed=true
        checkConstraints: Writer (1, 3) Writable, at creation
        checkpointProtection: Writer listed Writable, refused
        clustering: Writer listed ReadOnly, refused
        columnMapping: ReaderAndWriter (2, 5) Writable, only at creation delta.columnMapping.mode=name
        deletionVectors: ReaderAndWriter listed Writable, at creation delta.enableDeletionVectors=true
        domainMetadata: Writer listed ReadOnly, refused
        generatedColumns: Writer (1, 4) Writable, refused
        geospatial: ReaderAndWriter listed Refused, refused
        icebergCompatV1: Writer listed ReadOnly, refused delta.enableIcebergCompatV1=true
        icebergCompatV2: Writer listed ReadOnly, refused delta.enableIcebergCompatV2=true
        icebergCompatV3: Writer listed ReadOnly, refused delta.enableIcebergCompatV3=true
        identityColumns: Writer (1, 6) ReadOnly, refused
        inCommitTimestamp: Writer listed ReadOnly, refused delta.enableInCommitTimestamps=true
        invariants: Writer (1, 2) Writable, at creation
        materializePartitionColumns: Writer listed ReadOnly, refused
        rowTracking: Writer listed ReadOnly, refused delta.enableRowTracking=true
        timestampNtz: ReaderAndWriter listed Writable, at creation
        typeWidening: ReaderAndWriter listed Refused, refused delta.enableTypeWidening=true
        typeWidening-preview: ReaderAndWriter listed Refused, refused delta.enableTypeWidening=true
        v2Checkpoint: ReaderAndWriter listed Writable, at creation delta.checkpointPolicy=v2
        vacuumProtocolCheck: ReaderAndWriter listed Refused, refused
        variantShredding: ReaderAndWriter listed Refused, refused
        variantShredding-preview: ReaderAndWriter listed Refused, refused
        variantType: ReaderAndWriter listed Writable, refused
        variantType-preview: ReaderAndWriter listed Writable, refused"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn names_are_unique_and_found_again() {
    for row in FEATURES {
        assert_eq!(DeltaFeature::from_name(row.name), Some(row.feature));
        assert!(!row.doc.is_empty(), "{}", row.name);
    }
    assert_eq!(DeltaFeature::from_name("madeUp"), None);
}

#[test]
fn needs_and_conflicts_are_consistent() {
    for row in FEATURES {
        for other in row.conflicts {
            assert!(
                other.spec().conflicts.contains(&row.feature),
                "`{}` conflicts with `{other}`, but not the other way round",
                row.name
            );
            assert!(!row.requires.contains(other), "{}", row.name);
        }
        let may_be_asked_for = !matches!(row.enablement, Enablement::Refused(_));
        for needed in row.requires {
            let needed_is_refused = matches!(needed.spec().enablement, Enablement::Refused(_));
            assert!(!(may_be_asked_for && needed_is_refused), "{}", row.name);
        }
    }
}

#[test]
fn a_property_is_on_unless_it_is_off() {
    let mode = DeltaFeature::ColumnMapping.spec().property.unwrap();
    assert!(mode.is_on("id") && mode.is_on("name"));
    assert!(!mode.is_on("none") && !mode.is_on("NONE") && !mode.is_on(""));
}
