//! Keywords about a value as a whole: its type, what it may be, how long, how large.

use std::collections::BTreeSet;

use serde_json::Value;

use super::place::{Place, TYPES, type_of};
use super::{Verdict, Walk};
use crate::schema::{integer, integer_range};

/// Keywords of which both sides have to say the same, each with the type that it is about; where one side does not have
/// it, that side accepts more.
const WHOLE: &[(&str, &str)] = &[("multipleOf", "number"), ("pattern", "string")];

/// Limits: the keyword, the type that it is about, and whether a smaller one accepts more.
const LIMITS: &[(&str, &str, bool)] = &[
    ("exclusiveMaximum", "number", false),
    ("exclusiveMinimum", "number", true),
    ("maxItems", "array", false),
    ("maxLength", "string", false),
    ("maxProperties", "object", false),
    ("minItems", "array", true),
    ("minLength", "string", true),
    ("minProperties", "object", true),
];

/// The numbers that a schema accepts, by `format`, `minimum` and `maximum`.
#[derive(Debug, PartialEq)]
struct Numbers {
    low: Option<i128>,
    high: Option<i128>,
    is_whole: bool,
}

impl Numbers {
    /// `None` when a bound is no integer.
    fn of(place: &Place<'_>, types: &BTreeSet<&str>) -> Option<Self> {
        let range = integer_format(place);
        let bound = |keyword| match place.get(keyword) {
            None => Some(None),
            Some(bound) => integer(bound).map(Some),
        };
        let (minimum, maximum) = (bound("minimum")?, bound("maximum")?);
        let (low, high) = (range.map(|it| it.0), range.map(|it| it.1));
        Some(Self {
            low: low.into_iter().chain(minimum).max(),
            high: high.into_iter().chain(maximum).min(),
            is_whole: range.is_some() || !types.contains("fraction"),
        })
    }

    fn holds(&self, other: &Self) -> bool {
        let is_low_enough = self
            .low
            .is_none_or(|low| other.low.is_some_and(|it| low <= it));
        let is_high_enough = self
            .high
            .is_none_or(|high| other.high.is_some_and(|it| it <= high));
        is_low_enough && is_high_enough && (other.is_whole || !self.is_whole)
    }

    fn words(&self) -> String {
        let kind = if self.is_whole { "" } else { ", fractions too" };
        let low = self
            .low
            .map_or("any on".to_owned(), |low| format!("from {low}"));
        let high = self
            .high
            .map_or(String::new(), |high| format!(" to {high}"));
        format!("{low}{high}{kind}")
    }
}

fn integer_format(place: &Place<'_>) -> Option<(i128, i128)> {
    place
        .get("format")
        .and_then(Value::as_str)
        .and_then(integer_range)
}

/// Whether both sides may accept a value of this type; otherwise what is said about such values does not count.
fn are_both(wanted: &str, old: &BTreeSet<&str>, new: &BTreeSet<&str>) -> bool {
    let accepts = |types: &BTreeSet<&str>| match wanted {
        "number" => types.contains("integer") || types.contains("fraction"),
        wanted => types.contains(wanted),
    };
    accepts(old) && accepts(new)
}

fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = words.into_iter().map(|word| format!("`{word}`"));
    words.collect::<Vec<_>>().join(", ")
}

fn as_json<'a>(values: impl IntoIterator<Item = &'a &'a Value>) -> String {
    let values = values.into_iter().map(ToString::to_string);
    values.collect::<Vec<_>>().join(", ")
}

impl Walk<'_> {
    /// The keywords about a value as a whole.
    pub(super) fn values(&mut self, old: &Place<'_>, new: &Place<'_>) {
        if old.get("$schema") != new.get("$schema") {
            let message = "keywords mean what another version of JSON Schema says";
            self.report(&new.path, message, Verdict::OTHER);
        }
        let (Some(old_types), Some(new_types)) = (old.types(), new.types()) else {
            // Told as a keyword that is not understood.
            return;
        };
        self.listed(old, new);
        if old.listed().is_none() && new.listed().is_none() {
            self.types(new, &old_types, &new_types);
        }
        if are_both("number", &old_types, &new_types) {
            self.numbers((old, &old_types), (new, &new_types));
        }
        self.format(old, new);
        for (keyword, wanted) in WHOLE {
            if are_both(wanted, &old_types, &new_types) {
                self.whole(keyword, old, new);
            }
        }
        for (keyword, wanted, is_smaller_wider) in LIMITS {
            if are_both(wanted, &old_types, &new_types) {
                self.limit(keyword, *is_smaller_wider, old, new);
            }
        }
        let is_unique = |place: &Place<'_>| place.get("uniqueItems") == Some(&Value::Bool(true));
        match (is_unique(old), is_unique(new)) {
            (false, true) => {
                let message = "a list may no longer hold a value twice";
                self.report(&new.path, message, Verdict::NARROWER);
            }
            (true, false) => {
                let message = "a list may hold a value twice";
                self.report(&new.path, message, Verdict::WIDER);
            }
            _ => {}
        }
    }

    fn types(&mut self, new: &Place<'_>, old_types: &BTreeSet<&str>, new_types: &BTreeSet<&str>) {
        let gone: Vec<&str> = old_types.difference(new_types).copied().collect();
        let added: Vec<&str> = new_types.difference(old_types).copied().collect();
        let message = match (gone.is_empty(), added.is_empty()) {
            (true, true) => return,
            (true, false) if new_types.len() == TYPES.len() => "any type is accepted".to_owned(),
            (true, false) => format!("{} is accepted as well", quoted(added.iter().copied())),
            (false, true) => format!("{} is no longer accepted", quoted(gone.iter().copied())),
            (false, false) => {
                let (now, before) = (quoted(added.iter().copied()), quoted(gone.iter().copied()));
                format!("{now} instead of {before}")
            }
        };
        let verdict = Verdict::of(gone.is_empty(), added.is_empty());
        self.report(&new.path, message, verdict);
    }

    /// `const` and `enum`.
    fn listed(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let holds_types = |place: &Place<'_>, values: &[&Value]| {
            let types = place.types().unwrap_or_default();
            values.iter().all(|value| types.contains(type_of(value)))
        };
        match (old.listed(), new.listed()) {
            (None, None) => {}
            (None, Some(values)) => {
                let message = format!("nothing but {} is accepted any more", as_json(&values));
                let verdict = Verdict::of(false, holds_types(old, &values));
                self.report(&new.path, message, verdict);
            }
            (Some(values), None) => {
                let message = format!("more than {} is accepted", as_json(&values));
                let verdict = Verdict::of(holds_types(new, &values), false);
                self.report(&new.path, message, verdict);
            }
            (Some(before), Some(now)) => {
                let gone: Vec<_> = before.iter().filter(|it| !now.contains(it)).collect();
                let added: Vec<_> = now.iter().filter(|it| !before.contains(it)).collect();
                if !gone.is_empty() {
                    let message = format!("{} is no longer accepted", as_json(gone));
                    self.report(&new.path, message, Verdict::NARROWER);
                }
                if !added.is_empty() {
                    let message = format!("{} is accepted as well", as_json(added));
                    self.report(&new.path, message, Verdict::WIDER);
                }
            }
        }
    }

    fn numbers(
        &mut self,
        (old, old_types): (&Place<'_>, &BTreeSet<&str>),
        (new, new_types): (&Place<'_>, &BTreeSet<&str>),
    ) {
        let (Some(before), Some(now)) = (Numbers::of(old, old_types), Numbers::of(new, new_types))
        else {
            for keyword in ["minimum", "maximum", "format"] {
                if old.get(keyword) != new.get(keyword) {
                    let message =
                        format!("`{keyword}` is another, beside a bound that is no integer");
                    self.report(&new.path, message, Verdict::OTHER);
                }
            }
            return;
        };
        let verdict = Verdict::of(now.holds(&before), before.holds(&now));
        // Where neither bounds nor formats differ, it is the type that does, and that is told.
        let are_numbers_other = (before.low, before.high) != (now.low, now.high)
            || integer_format(old).is_some() != integer_format(new).is_some();
        if !verdict.is_same() && are_numbers_other {
            let message = format!("numbers {}, before {}", now.words(), before.words());
            self.report(&new.path, message, verdict);
        }
    }

    /// Formats other than those of a machine's integers.
    fn format(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let other = |place: &Place<'_>| {
            let format = place.get("format").and_then(Value::as_str);
            format
                .filter(|it| integer_range(it).is_none())
                .map(str::to_owned)
        };
        let (before, now) = (other(old), other(new));
        if before == now {
            return;
        }
        let (message, verdict) = match (before, now) {
            (Some(before), Some(now)) => {
                (format!("the format {now}, before {before}"), Verdict::OTHER)
            }
            (Some(before), None) => (format!("the format {before} no more"), Verdict::WIDER),
            (_, now) => {
                let now = now.unwrap_or_default();
                (format!("the format {now}, before none"), Verdict::NARROWER)
            }
        };
        self.report(&new.path, message, verdict);
    }

    fn whole(&mut self, keyword: &str, old: &Place<'_>, new: &Place<'_>) {
        let (message, verdict) = match (old.get(keyword), new.get(keyword)) {
            (before, now) if before == now => return,
            (Some(before), Some(now)) => (
                format!("`{keyword}` is {now}, before {before}"),
                Verdict::OTHER,
            ),
            (Some(before), None) => (format!("`{keyword}` is no more {before}"), Verdict::WIDER),
            (_, now) => {
                let now = now.unwrap_or(&Value::Null);
                (
                    format!("`{keyword}` is {now}, before none"),
                    Verdict::NARROWER,
                )
            }
        };
        self.report(&new.path, message, verdict);
    }

    fn limit(&mut self, keyword: &str, is_smaller_wider: bool, old: &Place<'_>, new: &Place<'_>) {
        let (Some(before), Some(now)) = (old.get(keyword), new.get(keyword)) else {
            return self.whole(keyword, old, new);
        };
        if before == now {
            return;
        }
        let verdict = match (integer(before), integer(now)) {
            (Some(before), Some(now)) if (now < before) == is_smaller_wider => Verdict::WIDER,
            (Some(_), Some(_)) => Verdict::NARROWER,
            _ => Verdict::OTHER,
        };
        let message = format!("`{keyword}` is {now}, before {before}");
        self.report(&new.path, message, verdict);
    }
}
