//! `ossature explain-diff`: which fields differ between two runs.

use ossature_pipeline::{FieldDifference, RunDifference, explain_difference};
use ossature_registry::Lake;
use serde::Serialize;

use crate::cli::{ExplainDiffArguments, Format};
use crate::error::Error;
use crate::output::{print, print_json, table};

/// Letters of a value that people are shown.
const LETTERS_MAX: usize = 60;

/// Compares two published runs.
pub(crate) async fn explain_diff(arguments: ExplainDiffArguments) -> Result<(), Error> {
    let lake = Lake::try_new(&arguments.lake).map_err(ossature_pipeline::Error::from)?;
    let difference = explain_difference(&lake, &arguments.one, &arguments.other).await?;
    match arguments.format {
        Format::Json => print_json(&Report::of(&difference))?,
        Format::Human => print(&human(&difference))?,
    }
    match difference.fields.len() {
        0 => Ok(()),
        fields => Err(Error::RunsDiffer { fields }),
    }
}

/// What `--format json` prints. Scripts rely on its names.
#[derive(Serialize)]
struct Report<'a> {
    one: &'a str,
    other: &'a str,
    differences: Vec<Differing<'a>>,
}

#[derive(Serialize)]
struct Differing<'a> {
    kind: &'static str,
    dataset: Option<&'a str>,
    field: &'a str,
    one: Option<&'a str>,
    other: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn of(difference: &'a RunDifference) -> Self {
        let fields = difference.fields.iter().map(|field| Differing {
            kind: field.kind.as_str(),
            dataset: field.dataset.as_deref(),
            field: &field.field,
            one: field.one.as_deref(),
            other: field.other.as_deref(),
        });
        Self {
            one: &difference.one,
            other: &difference.other,
            differences: fields.collect(),
        }
    }
}

fn human(difference: &RunDifference) -> String {
    if difference.fields.is_empty() {
        return "the runs differ in nothing but their names and times".to_owned();
    }
    let rows = difference.fields.iter().map(|field: &FieldDifference| {
        vec![
            field.kind.to_string(),
            field.dataset.clone().unwrap_or_default(),
            field.field.clone(),
            shortened(field.one.as_deref()),
            shortened(field.other.as_deref()),
        ]
    });
    table(
        ["about", "table", "field", "one", "other"],
        rows,
        usize::MAX,
    )
}

fn shortened(value: Option<&str>) -> String {
    let Some(value) = value else {
        return "(none)".to_owned();
    };
    let is_digest = value.len() == 64 && value.bytes().all(|it| it.is_ascii_hexdigit());
    let letters = if is_digest { 12 } else { LETTERS_MAX };
    let kept: String = value.chars().take(letters).collect();
    if !is_digest && kept.len() < value.len() {
        format!("{kept}...")
    } else {
        kept
    }
}
