//! The deterministic writer: a million rows like edges of the graph, from memory into a table, in rows and bytes.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ossature_schema_spec::{ColumnSpec, ColumnType, DatasetSpec};
use ossature_tests::{Failure, TemporaryLake, request, write};
use ossature_write_pipeline::WriteMode;

const ROWS: i64 = 1_000_000;
const BATCH_ROWS: i64 = 8192;
const ROWS_PER_FILE_MAX: u64 = 1 << 19;
const KINDS: [&str; 6] = ["ARGUMENT", "BINDS", "CALL", "CONTAINS", "RECEIVER", "REF"];

fn edges() -> Result<DatasetSpec, Failure> {
    Ok(DatasetSpec::builder("cpg.edges", "One row per edge.")
        .column(ColumnSpec::required("src_node_id", ColumnType::Int64)?)
        .column(ColumnSpec::required("position", ColumnType::Int32)?)
        .column(ColumnSpec::required("edge_kind", ColumnType::Utf8)?)
        .column(ColumnSpec::required("dst_node_id", ColumnType::Int64)?)
        .column(ColumnSpec::nullable("label", ColumnType::Utf8)?)
        .column(ColumnSpec::nullable("confidence", ColumnType::Float64)?)
        .key(["src_node_id", "position"])
        .order_by(["src_node_id", "position"])
        .build()?)
}

/// Four edges of each node, in files of about a thousand nodes: ids cluster as those of the graph do.
fn batch(begin: i64) -> Result<RecordBatch, Failure> {
    let rows = begin..(begin + BATCH_ROWS).min(ROWS);
    let node = |row: i64| {
        let (file, ordinal) = (row / 4096, row / 4 % 1024);
        ((file * 7919) << 22) | ordinal
    };
    let position = |row: i64| i32::try_from(row % 4).unwrap_or_default();
    // Scattered, and the same in each run.
    let scatter = |row: i64| row.wrapping_mul(2_654_435_761) % ROWS;
    let kind = |row: i64| {
        usize::try_from(row % 6)
            .ok()
            .and_then(|at| KINDS.get(at).copied())
    };
    let columns: [ArrayRef; 6] = [
        Arc::new(Int64Array::from_iter_values(rows.clone().map(node))),
        Arc::new(Int32Array::from_iter_values(rows.clone().map(position))),
        Arc::new(rows.clone().map(kind).collect::<StringArray>()),
        Arc::new(Int64Array::from_iter_values(
            rows.clone().map(|row| node(scatter(row))),
        )),
        Arc::new(
            rows.clone()
                .map(|row| (row % 5 == 0).then(|| format!("name_{}", scatter(row) % 997)))
                .collect::<StringArray>(),
        ),
        Arc::new(
            rows.map(|row| (row % 7 == 0).then_some(0.95))
                .collect::<Float64Array>(),
        ),
    ];
    Ok(RecordBatch::try_new(
        edges()?.arrow_schema(),
        columns.into(),
    )?)
}

fn bench(criterion: &mut Criterion) -> Result<(), Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    let starts = (0..ROWS).step_by(usize::try_from(BATCH_ROWS)?);
    let batches = starts.map(batch).collect::<Result<Vec<_>, _>>()?;
    let bytes: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    let contract = edges()?;
    let mut group = criterion.benchmark_group("write");
    group
        .sample_size(10)
        .throughput(Throughput::ElementsAndBytes {
            elements: ROWS.unsigned_abs(),
            bytes: bytes as u64,
        });
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new("edges", threads), |bencher| {
            bencher.iter_batched(
                || (TemporaryLake::try_new(), batches.clone()),
                |(lake, batches)| {
                    let written = lake.and_then(|lake| {
                        let request = request(
                            &lake.lake,
                            &contract,
                            ROWS_PER_FILE_MAX,
                            WriteMode::Overwrite,
                        )?;
                        let outcome = runtime.block_on(write(request, threads, batches))?;
                        // The folder is removed outside of the measurement.
                        Ok((lake, outcome.rows))
                    });
                    assert!(matches!(&written, Ok((_, rows)) if *rows == ROWS.unsigned_abs()));
                    written
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    let done = bench(criterion);
    assert!(done.is_ok(), "{done:?}");
}

criterion_group!(writing, benches);
criterion_main!(writing);
