//! Figures over several runs: the median, and how far the runs lie apart.

/// One figure of each run.
#[derive(Debug, Default)]
pub(crate) struct Figure(Vec<f64>);

impl Figure {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle one; of two, the lower.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.0.len().saturating_sub(1) / 2;
        self.0.get(middle).copied().unwrap_or(f64::NAN)
    }

    /// The difference between the largest and the smallest, as a share of the median.
    pub(crate) fn spread(&self) -> f64 {
        match (self.0.first(), self.0.last()) {
            (Some(least), Some(greatest)) => (greatest - least) / self.median(),
            _ => f64::NAN,
        }
    }
}

/// A line of a Markdown table.
pub(crate) fn row(name: &str, figure: &Figure) -> String {
    format!(
        "| {name} | {:.3} | {:.1}% |",
        figure.median(),
        100.0 * figure.spread()
    )
}
