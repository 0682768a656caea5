//! What each setting of the engine decides.

/// What a setting of the engine decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decides {
    /// What a query means, the types of what is read, or which logical plan comes of it.
    Plan,
    /// How a plan is carried out: operators, partitions, memory, statistics. Rows do not depend on it.
    Execution,
    /// How plans and values are printed.
    Display,
    /// How the engine's own writers write; ours do not ask.
    Writing,
}

/// Every setting of the engine, without `datafusion.` before it. One that is not here, as after an upgrade, fails a test until
/// it is.
///
/// A name that ends in `.` stands for all that begin with it and are not here themselves.
pub(crate) const SETTINGS: &[(Decides, &[&str])] = &[
    (
        Decides::Plan,
        &[
            "catalog.create_default_catalog_and_schema",
            "catalog.default_catalog",
            "catalog.default_schema",
            "catalog.has_header",
            "catalog.newlines_in_values",
            "execution.enable_ansi_mode",
            "execution.enable_recursive_ctes",
            "execution.listing_table_factory_infer_partitions",
            "execution.listing_table_ignore_subdirectory",
            "execution.parquet.binary_as_string",
            "execution.parquet.coerce_int96",
            "execution.parquet.coerce_int96_tz",
            "execution.parquet.schema_force_view_types",
            "execution.parquet.skip_metadata",
            "execution.time_zone",
            "optimizer.enable_leaf_expression_pushdown",
            "optimizer.enable_physical_uncorrelated_scalar_subquery",
            "optimizer.enable_unions_to_filter",
            "optimizer.expand_views_at_output",
            "optimizer.filter_null_join_keys",
            "optimizer.max_passes",
            "optimizer.skip_failed_rules",
            "spark.",
            "sql_parser.default_null_ordering",
            "sql_parser.dialect",
            "sql_parser.enable_ident_normalization",
            "sql_parser.enable_subquery_sort_elimination",
            "sql_parser.map_string_types_to_utf8view",
            "sql_parser.parse_float_as_decimal",
            "sql_parser.support_varchar_with_length",
        ],
    ),
    (
        Decides::Execution,
        &[
            "execution.batch_size",
            "execution.coalesce_batches",
            "execution.collect_statistics",
            "execution.enable_file_stream_work_stealing",
            "execution.enable_migration_aggregate",
            "execution.enforce_batch_size_in_joins",
            "execution.hash_join_buffering_capacity",
            "execution.keep_partition_by_columns",
            "execution.max_spill_file_size_bytes",
            "execution.meta_fetch_concurrency",
            "execution.parquet.bloom_filter_on_read",
            "execution.parquet.enable_page_index",
            "execution.parquet.force_filter_selections",
            "execution.parquet.max_in_list_size",
            "execution.parquet.max_predicate_cache_size",
            "execution.parquet.metadata_size_hint",
            "execution.parquet.pruning",
            "execution.parquet.pushdown_filters",
            "execution.parquet.reorder_filters",
            "execution.perfect_hash_join_min_key_density",
            "execution.perfect_hash_join_small_build_threshold",
            "execution.planning_concurrency",
            "execution.skip_partial_aggregation_probe_ratio_threshold",
            "execution.skip_partial_aggregation_probe_rows_threshold",
            "execution.skip_physical_aggregate_schema_check",
            "execution.sort_in_place_threshold_bytes",
            "execution.sort_pushdown_buffer_capacity",
            "execution.sort_spill_reservation_bytes",
            "execution.spill_compression",
            "execution.split_file_groups_by_statistics",
            "execution.target_partitions",
            "execution.use_row_number_estimates_to_optimize_partitioning",
            "optimizer.allow_symmetric_joins_without_pruning",
            "optimizer.default_filter_selectivity",
            "optimizer.enable_aggregate_dynamic_filter_pushdown",
            "optimizer.enable_distinct_aggregation_soft_limit",
            "optimizer.enable_dynamic_filter_pushdown",
            "optimizer.enable_join_dynamic_filter_pushdown",
            "optimizer.enable_piecewise_merge_join",
            "optimizer.enable_round_robin_repartition",
            "optimizer.enable_sort_pushdown",
            "optimizer.enable_topk_aggregation",
            "optimizer.enable_topk_dynamic_filter_pushdown",
            "optimizer.enable_topk_repartition",
            "optimizer.enable_window_limits",
            "optimizer.enable_window_topn",
            "optimizer.hash_join_inlist_pushdown_max_distinct_values",
            "optimizer.hash_join_inlist_pushdown_max_size",
            "optimizer.hash_join_single_partition_threshold",
            "optimizer.hash_join_single_partition_threshold_rows",
            "optimizer.join_reordering",
            "optimizer.prefer_existing_sort",
            "optimizer.prefer_existing_union",
            "optimizer.prefer_hash_join",
            "optimizer.preserve_file_partitions",
            "optimizer.repartition_aggregations",
            "optimizer.repartition_file_min_size",
            "optimizer.repartition_file_scans",
            "optimizer.repartition_joins",
            "optimizer.repartition_sorts",
            "optimizer.repartition_windows",
            "optimizer.subset_repartition_threshold",
            "optimizer.top_down_join_key_reordering",
            "optimizer.use_statistics_registry",
            "sql_parser.recursion_limit",
        ],
    ),
    (
        Decides::Display,
        &[
            "catalog.information_schema",
            "explain.",
            "format.",
            "sql_parser.collect_spans",
        ],
    ),
    (
        Decides::Writing,
        &[
            "catalog.format",
            "catalog.location",
            "execution.max_buffered_batches_per_output_file",
            "execution.minimum_parallel_output_files",
            "execution.objectstore_writer_buffer_size",
            "execution.parquet.allow_single_file_parallelism",
            "execution.parquet.bloom_filter_fpp",
            "execution.parquet.bloom_filter_ndv",
            "execution.parquet.bloom_filter_on_write",
            "execution.parquet.column_index_truncate_length",
            "execution.parquet.compression",
            "execution.parquet.content_defined_chunking.",
            "execution.parquet.created_by",
            "execution.parquet.data_page_row_count_limit",
            "execution.parquet.data_pagesize_limit",
            "execution.parquet.dictionary_enabled",
            "execution.parquet.dictionary_page_size_limit",
            "execution.parquet.encoding",
            "execution.parquet.max_row_group_bytes",
            "execution.parquet.max_row_group_size",
            "execution.parquet.maximum_buffered_record_batches_per_stream",
            "execution.parquet.maximum_parallel_row_group_writers",
            "execution.parquet.skip_arrow_metadata",
            "execution.parquet.statistics_enabled",
            "execution.parquet.statistics_truncate_length",
            "execution.parquet.write_batch_size",
            "execution.parquet.writer_version",
            "execution.soft_max_rows_per_output_file",
            "sql_parser.enable_options_value_normalization",
        ],
    ),
];

/// What a setting decides; `None` for one that nobody has classified.
pub(crate) fn decides(setting: &str) -> Option<Decides> {
    let setting = setting.strip_prefix("datafusion.")?;
    let named = |fits: &dyn Fn(&str) -> bool| {
        let group = SETTINGS
            .iter()
            .find(|(_, names)| names.iter().any(|name| fits(name)));
        group.map(|(decides, _)| *decides)
    };
    named(&|name| name == setting)
        .or_else(|| named(&|name| name.ends_with('.') && setting.starts_with(name)))
}
