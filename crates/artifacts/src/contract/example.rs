//! One example of every payload, with every field.

use std::collections::BTreeMap;

use ossature_schema_spec::Fingerprint;

use crate::{
    BloomFilterV1, CacheStatusV1, CallCoverageV1, ColumnOriginV1, CompactionV1, DecidedV1,
    DigestV1, DroppedV1, EnablementV1, Envelope, EnvironmentV1, Error, ExecutionProfileV1,
    ExtractSummaryV1, FailureV1, FeedConsumptionV1, FeedModeV1, LayoutV1, LeafLayoutV1,
    MaintenanceFactV1, OrderProofV1, OutputV1, PinV1, PlanArtifactV1, PlanColumnV1, PlanInputV1,
    PlanOutputV1, PolicyArtifactV1, ProtocolReportV1, ProtocolV1, RefusedFeatureV1,
    RequiredProtocolV1, RunManifestV1, RunOptionsV1, RunStatusV1, ScanAlignmentV1, ScanArtifactV1,
    ScanModeV1, SemanticFindingV1, SemanticValidationV1, StatsDecisionV1, UsedColumnV1, VacuumV1,
    ViewCacheV1, WarningV1, WriteArtifactV1, WriteFailureV1,
};

fn digest(byte: u8) -> DigestV1 {
    DigestV1::from(Fingerprint::from_bytes([byte; 32]))
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    BTreeMap::from(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())))
}

fn decided<T>(value: T, source: &str) -> DecidedV1<T> {
    DecidedV1 {
        value,
        source: source.to_owned(),
    }
}

fn pin() -> PinV1 {
    PinV1 {
        dataset: "extract.nodes".to_owned(),
        table_id: "5e5c1c4e-5a0f-4d52-9a3f-1f6a0c6a6f10".to_owned(),
        version: 3,
        snapshot_hash: digest(0x12),
        content_hash: Some(digest(0x11)),
    }
}

fn records_pin() -> PinV1 {
    PinV1 {
        dataset: "runs.plan_artifacts".to_owned(),
        ..pin()
    }
}

pub(super) fn plan_artifact() -> Result<Envelope, Error> {
    Envelope::seal(&PlanArtifactV1 {
        dataset: "cpg.cpg_nodes".to_owned(),
        fingerprint: digest(0x21),
        environment_hash: digest(0x22),
        execution_hash: digest(0x25),
        encoding: "text".to_owned(),
        fallback_reason: Some("This feature is not implemented: unnest".to_owned()),
        plan_bytes: 1_024,
        plan_hash: digest(0x23),
        inputs: vec![PlanInputV1 {
            pin: pin(),
            schema_hash: digest(0x24),
            columns: vec![PlanColumnV1 {
                name: "node_id".to_owned(),
                roles: texts(["read", "join_key"]),
            }],
        }],
        outputs: vec![PlanOutputV1 {
            name: "node_id".to_owned(),
            origins: vec![ColumnOriginV1 {
                dataset: "extract.nodes".to_owned(),
                column: "node_id".to_owned(),
                derivations: texts(["identity"]),
            }],
        }],
        functions: pairs([("site_of", "1")]),
        calls: texts(["max", "site_of"]),
        text: "Projection: n.node_id\n  TableScan: n".to_owned(),
    })
}

fn policy() -> PolicyArtifactV1 {
    PolicyArtifactV1 {
        dataset: "cpg.cpg_nodes".to_owned(),
        policy_hash: digest(0x31),
        rows_per_file_max: decided(1_048_576, "default"),
        statistics: decided(statistics(), "default"),
        schema_mode: decided("strict".to_owned(), "dataset"),
        features: decided(texts(["appendOnly"]), "location"),
        column_features: texts(["timestampNtz"]),
        change_feed: decided(true, "request"),
        checkpoint_commits_interval: decided(10, "default"),
        log_retention_days: decided(36_500, "default"),
        deleted_file_retention_days: decided(36_500, "default"),
        properties: decided(pairs([("delta.isolationLevel", "Serializable")]), "dataset"),
        layout: decided(layout(), "request"),
        cluster_by: decided(texts(["kind", "rank"]), "dataset"),
        constraints: decided(pairs([("positive", "node_id > 0")]), "request"),
        persist_constraints: decided(true, "request"),
        column_mapping: decided("none".to_owned(), "default"),
        allow_protocol_upgrade: decided(false, "default"),
        compaction: decided(CompactionV1::SmallFilesMax(8), "default"),
        vacuum: decided(VacuumV1::AfterDays(30), "location"),
        warnings: vec![WarningV1 {
            code: "text_clustered".to_owned(),
            message: "rows are clustered by the text `kind`".to_owned(),
        }],
    }
}

fn layout() -> LayoutV1 {
    let bloom_filter = BloomFilterV1 {
        distinct_values_max: 131_072,
        false_positives_per_million: 10_000,
    };
    LayoutV1 {
        compression: decided("zstd(1)".to_owned(), "default"),
        row_group_rows_max: decided(262_144, "default"),
        page_rows_max: decided(20_000, "request"),
        leaves: vec![LeafLayoutV1 {
            path: texts(["node_id"]),
            encoding: "DELTA_BINARY_PACKED".to_owned(),
            encoding_reason: "small_steps".to_owned(),
            statistics: "page".to_owned(),
            statistics_reason: "leading_sort_key".to_owned(),
            bloom_filter: Some(decided(bloom_filter, "dataset")),
        }],
    }
}

pub(super) fn policy_artifact() -> Result<Envelope, Error> {
    Envelope::seal(&policy())
}

fn plain_protocol() -> ProtocolV1 {
    ProtocolV1 {
        reader_version: 1,
        writer_version: 2,
        reader_features: Vec::new(),
        writer_features: Vec::new(),
    }
}

fn protocol() -> ProtocolReportV1 {
    ProtocolReportV1 {
        required: RequiredProtocolV1 {
            reader_version_min: 0,
            writer_version_min: 0,
            features: texts(["changeDataFeed"]),
        },
        found: plain_protocol(),
        runtime: ProtocolV1 {
            reader_version: 3,
            writer_version: 7,
            reader_features: texts(["timestampNtz"]),
            writer_features: texts(["changeDataFeed", "timestampNtz"]),
        },
        is_compatible: false,
        problems: texts(["feature `changeDataFeed` is required, the table lacks it"]),
    }
}

pub(super) fn protocol_report() -> Result<Envelope, Error> {
    Envelope::seal(&protocol())
}

fn statistics() -> StatsDecisionV1 {
    StatsDecisionV1 {
        policy: "auto, at most 32".to_owned(),
        columns: texts(["node_id", "kind"]),
        dropped: vec![DroppedV1 {
            column: "payload".to_owned(),
            reason: "unsupported_type".to_owned(),
        }],
        used: vec![UsedColumnV1 {
            column: "node_id".to_owned(),
            score: 7,
            roles: BTreeMap::from([
                ("filter_eq".to_owned(), texts(["node_by_id"])),
                ("join_key".to_owned(), texts(["cpg.cpg_edges"])),
            ]),
        }],
    }
}

pub(super) fn stats_decision() -> Result<Envelope, Error> {
    Envelope::seal(&statistics())
}

pub(super) fn scan_artifact() -> Result<Envelope, Error> {
    Envelope::seal(&ScanArtifactV1 {
        pin: pin(),
        table_uri: "s3://bucket/lake/extract/nodes/".to_owned(),
        mode: ScanModeV1::Direct,
        contract_hash: digest(0x41),
        protocol: plain_protocol(),
        settings: pairs([("bounds", "exact"), ("text", "utf8")]),
        declared_order: texts(["node_id", "rank desc"]),
        order: texts(["node_id", "rank desc"]),
        is_ordered_as_declared: true,
        order_proof: Some(OrderProofV1 {
            version: 3,
            writer: "2".to_owned(),
        }),
        is_identity: false,
        alignments: vec![ScanAlignmentV1 {
            column: "rank".to_owned(),
            alignment: "cast from Int32".to_owned(),
            sql: "CAST(rank AS BIGINT)".to_owned(),
            sources: texts(["rank"]),
        }],
        dropped: texts(["note"]),
        files: Some(4),
        bytes: Some(65_536),
        rows: Some(1_000),
    })
}

pub(super) fn write_artifact() -> Result<Envelope, Error> {
    Envelope::seal(&WriteArtifactV1 {
        dataset: "cpg.cpg_nodes".to_owned(),
        contract_hash: digest(0x41),
        table_uri: "s3://bucket/lake/cpg/cpg_nodes/".to_owned(),
        mode: "overwrite".to_owned(),
        version_before: 4,
        version: 5,
        rows: 1_000,
        bytes: 65_536,
        files: 4,
        files_added: 1,
        files_removed: 1,
        files_restored: 0,
        content_hash: digest(0x42),
        policy: policy(),
        protocol: protocol(),
        enablement: EnablementV1 {
            requested: texts(["appendOnly", "changeDataFeed"]),
            already_enabled: texts(["appendOnly"]),
            newly_enabled: texts(["changeDataFeed"]),
            protocol_before: Some(plain_protocol()),
            protocol_after: ProtocolV1 {
                writer_version: 4,
                ..plain_protocol()
            },
            properties_set: pairs([("delta.enableChangeDataFeed", "true")]),
            commit_version: Some(5),
        },
    })
}

pub(super) fn write_failure() -> Result<Envelope, Error> {
    Envelope::seal(&WriteFailureV1 {
        dataset: "cpg.cpg_nodes".to_owned(),
        table_uri: "s3://bucket/lake/cpg/cpg_nodes/".to_owned(),
        version: 4,
        code: "store_failure".to_owned(),
        message: "while storing part-22d1c8.parquet".to_owned(),
        orphans: texts(["part-0f3a7b.parquet", "part-22d1c8.parquet"]),
        // No write fails for all of its reasons at once.
        protocol: Some(protocol()),
        refused_features: vec![RefusedFeatureV1 {
            feature: "rowTracking".to_owned(),
            reason: "table feature `rowTracking` is refused".to_owned(),
        }],
    })
}

pub(super) fn maintenance_fact() -> Result<Envelope, Error> {
    Envelope::seal(&MaintenanceFactV1 {
        dataset: "cpg.cpg_nodes".to_owned(),
        table_uri: "s3://bucket/lake/cpg/cpg_nodes/".to_owned(),
        upkeep: "vacuum".to_owned(),
        is_done: true,
        reason: "1 files are used by no version of the last 30 days and by none of 3 pinned ones"
            .to_owned(),
        version_before: 5,
        version: 5,
        files_added: 0,
        files_removed: 0,
        deleted: texts(["part-0f3a7b.parquet"]),
    })
}

/// A manifest with every field, which no real run has: it ends in one way.
fn environment() -> EnvironmentV1 {
    let time_zone = "datafusion.execution.time_zone".to_owned();
    EnvironmentV1 {
        hash: digest(0x51),
        versions: pairs([("datafusion", "55.2.0"), ("ossature", "0.1.0")]),
        settings: BTreeMap::from([(time_zone, Some("+00:00".to_owned()))]),
        analyzer_rules: texts(["resolve_grouping_function"]),
        optimizer_rules: texts(["push_down_filter"]),
        physical_rules: texts(["enforce_sorting"]),
    }
}

pub(super) fn run_manifest() -> Result<Envelope, Error> {
    Envelope::seal(&RunManifestV1 {
        run_id: "01900000-0000-7000-8000-000000000002".to_owned(),
        run_number: 2,
        parent_run_id: Some("01900000-0000-7000-8000-000000000001".to_owned()),
        status: RunStatusV1::Completed,
        source: Some("/src/flask".to_owned()),
        code_version: "0.1.0".to_owned(),
        environment: Some(environment()),
        options: RunOptionsV1 {
            python_version: "3.13".to_owned(),
            max_file_bytes: 4_194_304,
        },
        execution: ExecutionProfileV1 {
            threads: 2,
            memory_bytes_max: 536_870_912,
            batch_rows: 8_192,
        },
        execution_settings: BTreeMap::from([(
            "datafusion.execution.batch_size".to_owned(),
            Some("8192".to_owned()),
        )]),
        started_at_unix_ms: 1_700_000_000_000,
        ended_at_unix_ms: Some(1_700_000_004_200),
        inputs: vec![pin()],
        outputs: vec![OutputV1 {
            name: "cpg.cpg_nodes".to_owned(),
            table_uri: "s3://bucket/lake/cpg/cpg_nodes/".to_owned(),
            version_before: 4,
            version: 5,
            table_id: pin().table_id,
            snapshot_hash: digest(0x43),
            rows: 1_000,
            bytes: 65_536,
            files: 4,
            plan_fingerprint: Some(digest(0x21)),
            plan_hash: Some(digest(0x23)),
            content_hash: digest(0x42),
            contract_hash: digest(0x41),
            policy_hash: digest(0x31),
            write_artifact_id: digest(0x44),
            plan_artifact_id: Some(digest(0x45)),
            writer_version: 2,
            cache_status: Some(CacheStatusV1::Miss),
        }],
        records: vec![records_pin()],
        extract: Some(ExtractSummaryV1 {
            listed: 24,
            parsed: 22,
            partial: 1,
            skipped: 1,
        }),
        calls: Some(CallCoverageV1 {
            resolved: 700,
            external: 250,
            ambiguous: 10,
            unresolved: 40,
        }),
        failure: Some(FailureV1 {
            code: "store_failure".to_owned(),
            message: "while storing part-0.parquet".to_owned(),
        }),
    })
}

pub(super) fn semantic_validation() -> Result<Envelope, Error> {
    Envelope::seal(&SemanticValidationV1 {
        dataset: "cpg.cpg_nodes".to_owned(),
        contract_hash: digest(0x41),
        columns: 11,
        is_valid: true,
        findings: vec![SemanticFindingV1 {
            column: "node_id".to_owned(),
            code: "nullability".to_owned(),
            message: "`node_id`: wanted never null, found nullable".to_owned(),
            is_refused: false,
        }],
    })
}

pub(super) fn view_cache() -> Result<Envelope, Error> {
    Envelope::seal(&ViewCacheV1 {
        dataset: "normalize.symbols".to_owned(),
        status: CacheStatusV1::Miss,
        reason: "other rows of extract.symbols than in the published run".to_owned(),
        differs: texts(["rows"]),
        key: Some(digest(0x71)),
        compared_with: Some("0192f1f0-0000-7000-8000-000000000001".to_owned()),
        version: Some(3),
        rows: Some(1_024),
        bytes: Some(65_536),
        inputs: texts(["extract.symbols"]),
        readers: texts(["cpg.cpg_nodes"]),
    })
}

pub(super) fn feed_consumption() -> Result<Envelope, Error> {
    Envelope::seal(&FeedConsumptionV1 {
        consumer: "search-index".to_owned(),
        attempt: "0192f1f0-0000-7000-8000-000000000003".to_owned(),
        dataset: "cpg.cpg_nodes".to_owned(),
        table_uri: "/lake/cpg/cpg_nodes".to_owned(),
        table_id: "5e5c1c4e-5a0f-4d52-9a3f-1f6a0c6a6f10".to_owned(),
        sequence: 4,
        mode: FeedModeV1::Changes,
        reason: "versions 7 to 9 were not taken yet".to_owned(),
        class: Some("ok".to_owned()),
        cursor_before: Some(6),
        cursor: 9,
        snapshot_hash: digest(0x12),
        rows: [("delete", 2), ("insert", 40)]
            .map(|(kind, rows)| (kind.to_owned(), rows))
            .into(),
    })
}
