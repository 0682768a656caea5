//! Keywords about what a value is made of: the fields of an object, the items of a list.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::place::Place;
use super::{Verdict, Walk};
use crate::contract::annotation::Maturity;
use crate::schema::{escape, names_of_fields};

/// What a side does with fields that it does not name.
const REST: &str = "additionalProperties";

fn refuses_others(place: &Place<'_>) -> bool {
    place.get(REST) == Some(&Value::Bool(false))
}

fn may_be(types: &str, old: &Place<'_>, new: &Place<'_>) -> bool {
    let accepts = |place: &Place<'_>| place.types().is_none_or(|it| it.contains(types));
    accepts(old) && accepts(new)
}

impl Walk<'_> {
    /// The items of lists.
    pub(super) fn items(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let has_items = old.get("items").is_some() || new.get("items").is_some();
        if has_items && may_be("array", old, new) {
            self.pair(
                &old.below_or_anything("items"),
                &new.below_or_anything("items"),
            );
        }
    }

    /// The fields of objects.
    pub(super) fn fields(&mut self, old: &Place<'_>, new: &Place<'_>) {
        if !may_be("object", old, new) {
            return;
        }
        let names: BTreeSet<&str> = names_of_fields(&old.schema)
            .chain(names_of_fields(&new.schema))
            .chain(old.required())
            .chain(new.required())
            .collect();
        for name in names {
            self.field(name, old, new);
        }
        match (refuses_others(old), refuses_others(new)) {
            (true, true) => {}
            (true, false) => {
                let message = "fields that are not named are accepted";
                self.report(&new.path, message, Verdict::WIDER);
            }
            (false, true) => {
                let message = "fields that are not named are no longer accepted";
                self.report(&new.path, message, Verdict::NARROWER);
            }
            (false, false) if old.get(REST).or(new.get(REST)).is_none() => {}
            (false, false) => self.pair(&old.below_or_anything(REST), &new.below_or_anything(REST)),
        }
    }

    fn field(&mut self, name: &str, old: &Place<'_>, new: &Place<'_>) {
        let was_required = old.required().contains(name);
        let is_required = new.required().contains(name);
        let (before, now) = (old.field(name), new.field(name));
        let path = match (&before, &now) {
            (Some(before), None) => before.path.clone(),
            (_, Some(now)) => now.path.clone(),
            (None, None) => format!("{}/properties/{}", new.path, escape(name)),
        };
        let (message, verdict) = match (&before, &now) {
            (Some(before), Some(now)) => {
                self.maturity(before, now);
                if !was_required && !is_required {
                    self.default(before, now);
                }
                self.pair(before, now);
                return self.requirement(&path, was_required, is_required);
            }
            (None, None) => return self.requirement(&path, was_required, is_required),
            (None, Some(now)) => {
                let place = old.below_or_anything(REST);
                let verdict = Verdict::sum(&self.apart(&place, now));
                (arrival(refuses_others(old), is_required), verdict)
            }
            (Some(before), None) => {
                let place = new.below_or_anything(REST);
                let verdict = Verdict::sum(&self.apart(before, &place));
                let message = if refuses_others(new) {
                    "the field is no longer accepted"
                } else {
                    "the field is accepted as any that is not named"
                };
                (message, verdict)
            }
        };
        let verdict = Verdict::of(
            verdict.is_backward() && (was_required || !is_required),
            verdict.is_forward() && (is_required || !was_required),
        );
        self.report(&path, message, verdict);
    }

    fn requirement(&mut self, path: &str, was_required: bool, is_required: bool) {
        match (was_required, is_required) {
            (false, true) => {
                self.report(path, "the field may no longer be absent", Verdict::NARROWER);
            }
            (true, false) => self.report(path, "the field may be absent", Verdict::WIDER),
            _ => {}
        }
    }

    /// What an absent field is read as. Documents are read either way, and mean something else.
    fn default(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let (before, now) = (old.get("default"), new.get("default"));
        if before == now {
            return;
        }
        let words = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
        let (before, now) = (words(before), words(now));
        let message = format!("where the field is absent it is read as {now}, before as {before}");
        self.report(&new.path, message, Verdict::OTHER);
    }

    fn maturity(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let (before, now) = (Maturity::of(&old.schema), Maturity::of(&new.schema));
        let (Some(before), Some(now)) = (before, now) else {
            // Told as a keyword that is not understood.
            return;
        };
        if before == now {
            return;
        }
        // What was to be relied on may be so no more.
        let takes_back = now == Maturity::Experimental;
        let verdict = if takes_back {
            Verdict::OTHER
        } else {
            Verdict::SAME
        };
        let word = |place: &Place<'_>| {
            let stable = json!("stable");
            let word = place.get(Maturity::KEYWORD).unwrap_or(&stable);
            word.as_str().unwrap_or_default().to_owned()
        };
        let message = format!("the field is {}, before {}", word(new), word(old));
        self.report(&new.path, message, verdict);
    }
}

/// What it is for a field to be named that was not.
fn arrival(was_refused: bool, is_required: bool) -> &'static str {
    match (was_refused, is_required) {
        (true, true) => "a new field that has to be there",
        (true, false) => "a new field that may be absent",
        (false, true) => "a field that was not named, and has to be there",
        (false, false) => "a field that was not named",
    }
}
