//! Extraction alone: files in, batches out, in bytes of source per second.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ossature_python_extract::{
    Error, ExtractOptions, ScanOptions, SourceListing, extract, list_sources,
};

/// The repository's own corpus, and the tree that `OSSATURE_CORPUS` names.
fn corpora() -> Vec<(&'static str, PathBuf)> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/oracle/corpus");
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo passes no arguments of ours to a bench"
    )]
    let other = std::env::var("OSSATURE_CORPUS").ok();
    let other = other.map(|folder| ("OSSATURE_CORPUS", PathBuf::from(folder)));
    [("own", own)].into_iter().chain(other).collect()
}

/// Extracts everything; gives back the number of rows.
fn rows(listing: &SourceListing, threads: NonZeroUsize) -> usize {
    let mut rows = 0;
    let done = extract(
        listing,
        &ExtractOptions::with_threads(threads),
        |_, batch| {
            rows += batch.num_rows();
            ControlFlow::Continue(())
        },
    );
    assert!(done.is_ok(), "{done:?}");
    rows
}

fn bench(criterion: &mut Criterion) -> Result<(), Error> {
    let mut group = criterion.benchmark_group("extract");
    group.sample_size(10);
    for (name, root) in corpora() {
        let listing = list_sources(&root, &ScanOptions::everything())?;
        let bytes = listing.files().iter().map(|file| file.size_bytes).sum();
        group.throughput(Throughput::BytesDecimal(bytes));
        for threads in [1, 2] {
            let threads = NonZeroUsize::MIN.saturating_add(threads - 1);
            group.bench_with_input(
                BenchmarkId::new(name, threads),
                &listing,
                |bencher, listing| {
                    bencher.iter(|| rows(black_box(listing), threads));
                },
            );
        }
    }
    group.finish();
    Ok(())
}

fn benches(criterion: &mut Criterion) {
    let done = bench(criterion);
    assert!(done.is_ok(), "{done:?}");
}

criterion_group!(extraction, benches);
criterion_main!(extraction);
