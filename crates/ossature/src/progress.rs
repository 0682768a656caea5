//! What a person sees of a run on standard error while it works.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use ossature_pipeline::Event;

use crate::output::warn;

/// A line that tells the step, files, rows and bytes. It is not drawn where standard error is no terminal.
pub(crate) struct Progress {
    bar: ProgressBar,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    files: u64,
    rows: u64,
    bytes: u64,
}

impl Progress {
    /// A line for a tree of so many files.
    pub(crate) fn of_files(files: u64) -> Self {
        let bar = ProgressBar::new(files);
        let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(100));
        Self {
            bar,
            counts: Mutex::default(),
        }
    }

    /// Takes note of what happened.
    pub(crate) fn observe(&self, event: &Event) {
        let Ok(mut counts) = self.counts.lock() else {
            return;
        };
        let step = match event {
            Event::Began { dataset } => format!("computing {dataset}"),
            Event::Rows { dataset, rows } => {
                counts.rows += rows;
                if dataset.as_str() == "extract.files" {
                    counts.files += rows;
                }
                let (done, all) = (counts.files, self.bar.length().unwrap_or_default());
                format!("extracting {}/{} files", HumanCount(done), HumanCount(all))
            }
            Event::Wrote {
                dataset,
                rows,
                bytes,
                files_restored,
                is_cached,
                ..
            } => {
                if *files_restored > 0 {
                    self.bar.suspend(|| {
                        warn(&format!(
                            "damaged files of {dataset} restored: {files_restored}"
                        ));
                    });
                }
                // Rows of sources were counted when they came.
                if dataset.stage() != "extract" {
                    counts.rows += rows;
                }
                counts.bytes += bytes;
                let done = if *is_cached { "kept" } else { "wrote" };
                format!("{done} {dataset}")
            }
            _ => return,
        };
        let (rows, bytes) = (HumanCount(counts.rows), HumanBytes(counts.bytes));
        self.bar
            .set_message(format!("{step} · {rows} rows · {bytes}"));
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
