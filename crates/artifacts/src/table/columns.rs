//! The columns of the artifact tables.

use ossature_schema_spec::{ColumnType, FieldSpec};

use super::Column;
use crate::Error;

/// A list of groups with these fields; a name that ends in `?` may be null.
fn list(fields: Vec<Column>) -> Result<ColumnType, Error> {
    let fields = fields
        .into_iter()
        .map(|(name, column_type, _)| match name.strip_suffix('?') {
            Some(name) => FieldSpec::nullable(name, column_type),
            None => FieldSpec::required(name, column_type),
        });
    let group = ColumnType::Struct(fields.collect::<Result<_, _>>()?);
    Ok(ColumnType::List(Box::new(FieldSpec::required(
        "element", group,
    )?)))
}

pub(super) fn run_manifest_columns() -> Vec<Column> {
    use ColumnType::{Int32, Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("sequence", Int32, "0 when the run began, 1 when it ended."),
        (
            "status",
            Utf8,
            "`running`, `completed`, `failed` or `aborted`.",
        ),
        (
            "at_unix_ms",
            Int64,
            "When it happened, in milliseconds since 1970-01-01 00:00:00 UTC.",
        ),
        (
            "run_number",
            Int64,
            "The run's place in the lake's history, from 1 on.",
        ),
        (
            "parent_run_id?",
            Utf8,
            "The run whose outputs it was computed from.",
        ),
        ("source?", Utf8, "What was read, without secrets."),
        ("code_version", Utf8, "The version of the program."),
        ("environment_hash?", Utf8, "The planning environment."),
    ]
}

pub(super) fn plan_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Binary, Int64, Utf8};
    Ok(vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset whose rows the plan computes."),
        ("fingerprint", Utf8, "What is computed, over which rows."),
        (
            "encoding",
            Utf8,
            "How the plan is written down: `substrait`, `datafusion_proto` or `text`.",
        ),
        ("environment_hash", Utf8, "The planning environment."),
        ("execution_hash", Utf8, "How the engine carried it out."),
        (
            "inputs",
            list(vec![
                ("dataset", Utf8, "The dataset."),
                ("version", Int64, "The version that is read."),
                ("table_id", Utf8, "The table's id."),
                (
                    "content_hash?",
                    Utf8,
                    "The digest of the version's files, where it is known.",
                ),
                ("schema_hash", Utf8, "A digest of the columns."),
            ])?,
            "The versions that are read, ordered by dataset.",
        ),
        (
            "functions",
            list(vec![
                ("name", Utf8, "The function."),
                ("version", Utf8, "The version of its implementation."),
            ])?,
            "The functions of ours that are called, ordered by name.",
        ),
        ("plan_text", Utf8, "The optimized plan, for people."),
        ("plan", Binary, "The optimized plan in its encoding."),
    ])
}

pub(super) fn write_columns() -> Vec<Column> {
    use ColumnType::{Binary, Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        ("version", Int64, "The version that holds the rows."),
        ("rows", Int64, "Rows written."),
        (
            "bytes",
            Int64,
            "Bytes of the version's files, for an append of the added files.",
        ),
        (
            "files",
            Int64,
            "Files of the version, for an append the added files.",
        ),
        ("files_added", Int64, "Files that the commit added."),
        ("files_removed", Int64, "Files that the commit removed."),
        (
            "files_restored",
            Int64,
            "Damaged files of the version that were restored.",
        ),
        (
            "content_hash",
            Utf8,
            "A digest of the files that hold the written rows.",
        ),
        ("contract_hash", Utf8, "A digest of the dataset's contract."),
        ("policy_hash", Utf8, "A digest of the resolved policy."),
        (
            "policy",
            Binary,
            "The resolved policy as this program keeps it, in MsgPack: what a replay writes by.",
        ),
    ]
}

pub(super) fn scan_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Boolean, Int64, Utf8};
    Ok(vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        ("version", Int64, "The version that is read."),
        (
            "mode",
            Utf8,
            "Who reads the files: `direct` or `delegated`.",
        ),
        (
            "is_identity",
            Boolean,
            "Whether the stored columns are the declared ones.",
        ),
        (
            "is_ordered_as_declared",
            Boolean,
            "Whether scans declare the order that the contract declares.",
        ),
        (
            "alignments",
            list(vec![
                ("column", Utf8, "The column."),
                ("alignment", Utf8, "How it comes to be, in words."),
                ("sql", Utf8, "Its value over the stored columns."),
            ])?,
            "How the other columns come to be, in declared order.",
        ),
        (
            "files?",
            Int64,
            "Files of the version, where the scan lists them itself.",
        ),
        ("bytes?", Int64, "Bytes of those files."),
        ("rows?", Int64, "Rows in those files."),
    ])
}

pub(super) fn write_failure_columns() -> Vec<Column> {
    use ColumnType::{Int64, Utf8};
    vec![
        ("run_id", Utf8, "The run, or the upkeep."),
        ("dataset", Utf8, "The dataset."),
        (
            "version",
            Int64,
            "The version that stands; 0 when the table could not be opened.",
        ),
        ("code", Utf8, "The error's stable identifier."),
        ("message", Utf8, "The error in words, without secrets."),
        ("orphans", Int64, "Files that the write left behind."),
    ]
}

pub(super) fn feed_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Int64, Utf8};
    Ok(vec![
        ("consumer", Utf8, "Who took the changes."),
        ("dataset", Utf8, "The dataset that they are of."),
        (
            "sequence",
            Int64,
            "The place among those of this consumer and this dataset, from 0 on.",
        ),
        ("attempt", Utf8, "The attempt at which they were taken."),
        (
            "at_unix_ms",
            Int64,
            "When it was recorded, in milliseconds since 1970-01-01 00:00:00 UTC.",
        ),
        (
            "mode",
            Utf8,
            "How they were taken: `initial_snapshot`, `changes` or `full_refresh`.",
        ),
        ("reason", Utf8, "Why so."),
        (
            "class?",
            Utf8,
            "What was found of the versions behind the cursor.",
        ),
        ("table_id", Utf8, "The table's id."),
        (
            "cursor_before?",
            Int64,
            "The last version that had been taken before.",
        ),
        ("cursor", Int64, "The last version that has been taken now."),
        (
            "rows",
            list(vec![
                ("kind", Utf8, "The kind of change, or `snapshot`."),
                ("rows", Int64, "How many rows."),
            ])?,
            "Rows by kind, ordered by kind.",
        ),
    ])
}

pub(super) fn cache_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Int64, Utf8};
    Ok(vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The view."),
        (
            "status",
            Utf8,
            "What became of it: `hit`, `miss`, `stale`, `disabled` or `inline`.",
        ),
        ("reason", Utf8, "Why, in words."),
        (
            "differs",
            texts()?,
            "What differs from the published version.",
        ),
        (
            "key?",
            Utf8,
            "What the rows and the bytes of the table depend on, as one digest.",
        ),
        (
            "compared_with?",
            Utf8,
            "The published run whose version was looked at.",
        ),
        ("version?", Int64, "The version that was taken as it is."),
        ("rows?", Int64, "Rows that did not have to be computed."),
        (
            "bytes?",
            Int64,
            "Bytes of files that were read and compared instead.",
        ),
    ])
}

pub(super) fn maintenance_columns() -> Vec<Column> {
    use ColumnType::{Boolean, Int64, Utf8};
    vec![
        (
            "at_unix_ms",
            Int64,
            "When the maintenance began, in milliseconds since 1970-01-01 00:00:00 UTC.",
        ),
        ("dataset", Utf8, "The dataset."),
        (
            "upkeep",
            Utf8,
            "The kind of upkeep: `compaction`, `checkpoint` or `vacuum`.",
        ),
        ("is_done", Boolean, "Whether it did anything."),
        ("reason", Utf8, "Why it did, or did not."),
        ("version_before", Int64, "The version before."),
        ("version", Int64, "The version after."),
        ("files_added", Int64, "Files that were added to the table."),
        (
            "files_removed",
            Int64,
            "Files that were removed from the table. Earlier versions still have them.",
        ),
        ("files_deleted", Int64, "Files that were deleted."),
    ]
}

pub(super) fn validation_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Boolean, Int64, Utf8};
    Ok(vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The view."),
        ("columns", Int64, "Columns that it declares."),
        (
            "is_valid",
            Boolean,
            "Whether nothing was found that the writer does not settle.",
        ),
        (
            "findings",
            list(vec![
                ("column", Utf8, "The column."),
                ("code", Utf8, "The kind of difference."),
                ("message", Utf8, "The difference in words."),
                ("is_refused", Boolean, "Whether it is refused."),
            ])?,
            "What is not as it is declared.",
        ),
    ])
}

pub(super) fn stats_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Boolean, Int64, Utf8};
    Ok(vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        ("version", Int64, "The version that was written."),
        ("column", Utf8, "A candidate, or a column that readers use."),
        ("is_indexed", Boolean, "Whether it got statistics."),
        (
            "reason?",
            Utf8,
            "Why it got none, where it was a candidate.",
        ),
        ("score", Int64, "How much of what readers do depends on it."),
        ("roles", texts()?, "How readers use it."),
        (
            "consumers",
            texts()?,
            "Who reads by it: views and saved queries.",
        ),
    ])
}

fn texts() -> Result<ColumnType, Error> {
    let element = FieldSpec::required("element", ColumnType::Utf8)?;
    Ok(ColumnType::List(Box::new(element)))
}

pub(super) fn protocol_columns() -> Result<Vec<Column>, Error> {
    use ColumnType::{Boolean, Int64, Utf8};
    Ok(vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset."),
        (
            "version",
            Int64,
            "The version that was written; where the write was refused, the one that was found.",
        ),
        (
            "is_compatible",
            Boolean,
            "Whether the table has what is required, and the runtime reads and writes it.",
        ),
        (
            "reader_version",
            Int64,
            "The reader version that the table demands.",
        ),
        (
            "writer_version",
            Int64,
            "The writer version that it demands.",
        ),
        ("problems", texts()?, "What is wrong, in words."),
    ])
}

pub(super) fn lineage_columns() -> Vec<Column> {
    use ColumnType::Utf8;
    vec![
        ("run_id", Utf8, "The run."),
        ("dataset", Utf8, "The dataset whose column was computed."),
        ("column", Utf8, "The column."),
        ("input", Utf8, "The dataset that it was computed from."),
        ("input_column", Utf8, "The column there."),
        (
            "derivation",
            Utf8,
            "How: `identity`, `cast`, `transformation`, `aggregation`, `conditional` or `window`.",
        ),
    ]
}

/// The columns that a table has whose rows carry a payload.
pub(super) fn payload_columns() -> Vec<Column> {
    use ColumnType::{Binary, Int32, Utf8};
    vec![
        ("artifact_id", Utf8, "The digest of the payload's envelope."),
        (
            "payload_version",
            Int32,
            "The version of the payload's contract.",
        ),
        (
            "payload",
            Binary,
            "The payload's envelope, as canonical MsgPack.",
        ),
    ]
}
