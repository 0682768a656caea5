//! Column lineage: from which columns an output column comes, and which columns decide about the rows.

use std::collections::BTreeMap;

use ossature_lineage::{Derivation, Role};
use serde::Serialize;

use super::facet::ColumnLineage;
use super::place::Place;
use crate::{PlanArtifactV1, PlanColumnV1, PlanOutputV1};

/// Where one column of the output comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FieldLineage {
    input_fields: Vec<InputField>,
}

/// A column of an input, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct InputField {
    #[serde(flatten)]
    place: Place,
    field: String,
    transformations: Vec<Transformation>,
}

/// One way in which a column of an input has a part in the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Transformation {
    #[serde(rename = "type")]
    kind: &'static str,
    subtype: &'static str,
    /// Our word, where it says more than the subtype.
    description: &'static str,
    /// Whether the value can no longer be told from the output; left out where nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    masking: Option<bool>,
}

impl ColumnLineage {
    /// The lineage of what a plan computes. `places` says how its inputs are named.
    ///
    /// A column that comes from no input, a constant, has no entry. What decides about the rows as a whole (filters, joins,
    /// groups, orders, windows) is told once for the dataset, not again for every column.
    pub(super) fn of(plan: &PlanArtifactV1, places: &BTreeMap<&str, Place>) -> Self {
        let fields = plan.outputs.iter().filter_map(|output| {
            let lineage = FieldLineage::of(output, places);
            (!lineage.input_fields.is_empty()).then(|| (output.name.clone(), lineage))
        });
        let dataset = plan.inputs.iter().flat_map(|input| {
            let place = places.get(input.pin.dataset.as_str());
            let columns = input.columns.iter();
            columns.filter_map(move |column| InputField::deciding(place?, column))
        });
        Self {
            fields: fields.collect(),
            dataset: dataset.collect(),
        }
    }
}

impl FieldLineage {
    fn of(output: &PlanOutputV1, places: &BTreeMap<&str, Place>) -> Self {
        let fields = output.origins.iter().filter_map(|origin| {
            let derivations = origin.derivations.iter();
            Some(InputField {
                place: places.get(origin.dataset.as_str())?.clone(),
                field: origin.column.clone(),
                transformations: derivations
                    .filter_map(|word| Transformation::of_derivation(word))
                    .collect(),
            })
        });
        Self {
            input_fields: fields.collect(),
        }
    }
}

impl InputField {
    /// A column that decides about the rows, if it does.
    fn deciding(place: &Place, column: &PlanColumnV1) -> Option<Self> {
        let roles = column.roles.iter();
        let transformations: Vec<Transformation> = roles
            .filter_map(|word| Transformation::of_role(word))
            .collect();
        (!transformations.is_empty()).then(|| Self {
            place: place.clone(),
            field: column.name.clone(),
            transformations,
        })
    }
}

impl Transformation {
    fn direct(subtype: &'static str, description: &'static str, masking: Option<bool>) -> Self {
        Self {
            kind: "DIRECT",
            subtype,
            description,
            masking,
        }
    }

    /// What only decides about values or rows shows none of its own.
    fn indirect(subtype: &'static str, description: &'static str) -> Self {
        Self {
            kind: "INDIRECT",
            subtype,
            description,
            masking: None,
        }
    }

    /// How an output column comes from the column of an input.
    fn of_derivation(word: &str) -> Option<Self> {
        let derivation = Derivation::ALL.into_iter().find(|it| it.as_str() == word)?;
        Some(match derivation {
            Derivation::Identity => Self::direct("IDENTITY", "", Some(false)),
            Derivation::Cast => Self::direct("TRANSFORMATION", "cast", Some(false)),
            Derivation::Transformation => Self::direct("TRANSFORMATION", "", None),
            Derivation::Aggregation => Self::direct("AGGREGATION", "", None),
            Derivation::Conditional => Self::indirect("CONDITIONAL", ""),
            Derivation::Window => Self::indirect("WINDOW", ""),
            _ => return None,
        })
    }

    /// How the column of an input decides about the rows, if that is what its role is.
    fn of_role(word: &str) -> Option<Self> {
        let role = Role::ALL.into_iter().find(|it| it.as_str() == word)?;
        Some(match role {
            Role::FilterEq => Self::indirect("FILTER", "filter_eq"),
            Role::FilterRange => Self::indirect("FILTER", "filter_range"),
            Role::Filter => Self::indirect("FILTER", ""),
            Role::JoinKey => Self::indirect("JOIN", "join_key"),
            Role::Join => Self::indirect("JOIN", ""),
            Role::Group => Self::indirect("GROUP_BY", ""),
            Role::Sort => Self::indirect("SORT", ""),
            Role::Window => Self::indirect("WINDOW", ""),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn render(word: &str, told: Option<Transformation>) -> String {
        let Some(told) = told else {
            return format!("{word}: nothing\n");
        };
        let Transformation {
            kind,
            subtype,
            description,
            masking,
        } = told;
        format!("{word}: {kind} {subtype} {description:?} {masking:?}\n")
    }

    #[track_caller]
    fn check(told: impl Iterator<Item = String>, want: &Expect) {
        want.assert_eq(&told.collect::<String>());
    }

    #[test]
    fn every_derivation_is_told() {
        let told = Derivation::ALL.map(Derivation::as_str);
        check(
            told.into_iter()
                .map(|word| render(word, Transformation::of_derivation(word))),
            &expect![[r#"
                identity: DIRECT IDENTITY "" Some(false)
                cast: DIRECT TRANSFORMATION "cast" Some(false)
                transformation: DIRECT TRANSFORMATION "" None
                aggregation: DIRECT AGGREGATION "" None
                conditional: INDIRECT CONDITIONAL "" None
                window: INDIRECT WINDOW "" None
            "#]],
        );
    }

    #[test]
    fn roles_are_told_that_decide_about_rows() {
        let told = Role::ALL.map(Role::as_str);
        check(
            told.into_iter()
                .map(|word| render(word, Transformation::of_role(word))),
            &expect![[r#"
                read: nothing
                projected: nothing
                filter_eq: INDIRECT FILTER "filter_eq" None
                filter_range: INDIRECT FILTER "filter_range" None
                filter: INDIRECT FILTER "" None
                join_key: INDIRECT JOIN "join_key" None
                join: INDIRECT JOIN "" None
                group_key: INDIRECT GROUP_BY "" None
                sort_key: INDIRECT SORT "" None
                window: INDIRECT WINDOW "" None
            "#]],
        );
    }

    #[test]
    fn a_word_of_a_newer_program_is_left_out() {
        assert_eq!(Transformation::of_derivation("guess"), None);
        assert_eq!(Transformation::of_role("guess"), None);
    }
}
