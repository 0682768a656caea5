//! Seconds and processor time, one writer after the other in one process, over the same rows in memory.

use std::num::NonZeroUsize;
use std::time::Instant;

use arrow_array::RecordBatch;
use ossature_tests::TemporaryLake;

use crate::figures::{Figure, row};
use crate::peers::{Peer, Rows};
use crate::rows::Workload;
use crate::{Failure, runtime};

/// What the writing of one table took.
#[derive(Debug, Default)]
struct Figures {
    wall: Figure,
    cpu: Figure,
    /// The time of ours, of the same round, by that of this writer.
    ours_to_this: Figure,
    cpu_of_ours_to_this: Figure,
}

/// Measures so many times, in rounds of all writers, and renders the medians.
pub(crate) fn compare(workload: &Workload, runs: NonZeroUsize) -> Result<String, Failure> {
    let runtime = runtime()?;
    let rows = Rows::held(workload)?;
    let mut figures = Peer::WRITERS.map(|_| Figures::default());
    // The first round warms the heap and the page cache.
    for round in 0..=runs.get() {
        let mut ours = (f64::NAN, f64::NAN);
        for (peer, figures) in Peer::WRITERS.into_iter().zip(&mut figures) {
            let lake = TemporaryLake::try_new()?;
            let (began, cpu_before) = (Instant::now(), cpu_seconds()?);
            peer.write(&runtime, workload, &rows, &lake)?;
            let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds()? - cpu_before);
            if peer == Peer::Ours {
                ours = (wall, cpu);
            }
            if round > 0 {
                figures.wall.push(wall);
                figures.cpu.push(cpu);
                figures.ours_to_this.push(ours.0 / wall);
                figures.cpu_of_ours_to_this.push(ours.1 / cpu);
            }
        }
    }
    let mut lines = Vec::new();
    for (peer, figures) in Peer::WRITERS.into_iter().zip(&figures) {
        let name = peer.as_str();
        lines.push(row(&format!("{name}, wall s"), &figures.wall));
        lines.push(row(&format!("{name}, CPU s"), &figures.cpu));
        if peer != Peer::Ours {
            lines.push(row(&format!("ours to {name}, wall"), &figures.ours_to_this));
            lines.push(row(
                &format!("ours to {name}, CPU"),
                &figures.cpu_of_ours_to_this,
            ));
        }
    }
    Ok(format!(
        "{} rows, {} MB in memory, {}; {runs} runs\n\n| figure | median | spread |\n|---|---:|---:|\n{}",
        workload.rows(),
        bytes(&rows) / 1_000_000,
        workload.contract().parquet().codec,
        lines.join("\n")
    ))
}

fn bytes(rows: &Rows) -> usize {
    match rows {
        Rows::Held(batches) => batches.iter().map(RecordBatch::get_array_memory_size).sum(),
        Rows::Streamed => 0,
    }
}

/// Processor time that this process has used in user and system mode, in hundredths of a second.
fn cpu_seconds() -> Result<f64, Failure> {
    let line = std::fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = line.rsplit_once(')').ok_or("no name")?;
    let fields = fields.split_whitespace().skip(11).take(2);
    let ticks = fields.map(|field| Ok(field.parse::<u32>()?));
    let ticks: u32 = ticks.collect::<Result<Vec<_>, Failure>>()?.iter().sum();
    Ok(f64::from(ticks) / 100.0)
}
