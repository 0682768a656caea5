//! What a change of a JSON Schema means for the documents that there are, and for the readers that there are.
//!
//! Two schemas are walked side by side. What is said here is proven from the keywords alone: a change is compatible
//! where every document of one side is a document of the other, and breaking where that is not sure.

mod fields;
mod place;
mod unions;
mod values;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use place::{Place, is_same, unknown_keywords};

/// Whether documents go on to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compatibility {
    /// All of them are read.
    Compatible,
    /// Some are refused, or that they are not is not sure.
    Breaking,
}

impl Compatibility {
    fn of(is_compatible: bool) -> Self {
        if is_compatible {
            Self::Compatible
        } else {
            Self::Breaking
        }
    }

    /// A stable identifier, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Breaking => "breaking",
        }
    }
}

/// One way in which a schema differs from the one before.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct SchemaChange {
    /// Where it is: a JSON Pointer into the new schema, or into the old one when the new one has nothing there.
    pub path: String,
    /// The change in words.
    pub message: String,
    /// Whether every document that met the old schema meets the new one. Where it is breaking, the contract wants another
    /// version.
    pub backward: Compatibility,
    /// Whether every document that meets the new schema met the old one, so that readers of before read what is written
    /// from now on. A new field breaks this, because readers refuse fields that they do not know.
    pub forward: Compatibility,
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            message,
            backward,
            forward,
        } = self;
        let place = if path.is_empty() { "the schema" } else { path };
        let (backward, forward) = (backward.as_str(), forward.as_str());
        write!(
            f,
            "{place}: {message} (backward {backward}, forward {forward})"
        )
    }
}

/// Everything in which a JSON Schema (2020-12) differs from the one before, as far as documents and readers can tell.
///
/// Titles, descriptions, examples, `$id` and keywords that begin with `x-` tell nothing, except `x-maturity`. Definitions
/// are compared where they are referred to, so that their names do not count. A keyword that is not understood is
/// breaking, unless all around it is as it was. A field that is experimental or deprecated has no exemption: what a version
/// accepted it goes on to accept.
///
/// **Shape**: ordered by place; empty when the schemas accept the same documents, as far as can be proven.
/// **Determinism**: a function of its arguments only.
///
/// ```
/// use ossature_artifacts::{Compatibility, classify};
/// use serde_json::json;
///
/// let old = json!({
///     "type": "object",
///     "properties": {"rows": {"type": "integer", "format": "uint32"}},
///     "required": ["rows"],
///     "additionalProperties": false,
/// });
/// let mut new = old.clone();
/// new["properties"]["files"] = json!({"type": "integer"});
/// new["properties"]["rows"]["format"] = json!("uint64");
///
/// let changes = classify(&old, &new);
/// let lines: Vec<String> = changes.iter().map(ToString::to_string).collect();
/// assert_eq!(lines, [
///     "/properties/files: a new field that may be absent (backward compatible, forward breaking)",
///     "/properties/rows: numbers from 0 to 18446744073709551615, before from 0 to 4294967295 \
///      (backward compatible, forward breaking)",
/// ]);
/// assert!(changes.iter().all(|change| change.backward == Compatibility::Compatible));
/// ```
pub fn classify(old: &Value, new: &Value) -> Vec<SchemaChange> {
    let mut walk = Walk {
        old,
        new,
        seen: BTreeSet::new(),
        changes: Vec::new(),
    };
    walk.pair(&Place::root(old), &Place::root(new));
    walk.changes.sort();
    walk.changes.dedup();
    walk.changes
}

/// Two documents, walked side by side.
struct Walk<'a> {
    /// The old document, in which its references are resolved.
    old: &'a Value,
    /// The new document.
    new: &'a Value,
    /// The pairs that were begun. One that is met again inside of itself differs in nothing that was not told.
    seen: BTreeSet<(String, String)>,
    /// What was found.
    changes: Vec<SchemaChange>,
}

/// Whether documents of the old side meet the new one, and the other way around.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    backward: Compatibility,
    forward: Compatibility,
}

impl Verdict {
    /// More is accepted than before.
    const WIDER: Self = Self {
        backward: Compatibility::Compatible,
        forward: Compatibility::Breaking,
    };
    /// Less is accepted than before.
    const NARROWER: Self = Self {
        backward: Compatibility::Breaking,
        forward: Compatibility::Compatible,
    };
    /// Something else is accepted, or what is not sure.
    const OTHER: Self = Self {
        backward: Compatibility::Breaking,
        forward: Compatibility::Breaking,
    };
    /// The same is accepted.
    const SAME: Self = Self {
        backward: Compatibility::Compatible,
        forward: Compatibility::Compatible,
    };

    /// By whether the new side accepts all that the old one did, and the old side all that the new one does.
    fn of(is_backward: bool, is_forward: bool) -> Self {
        Self {
            backward: Compatibility::of(is_backward),
            forward: Compatibility::of(is_forward),
        }
    }

    /// What a list of changes comes to.
    fn sum(changes: &[SchemaChange]) -> Self {
        let is_compatible = |side: fn(&SchemaChange) -> Compatibility| {
            changes
                .iter()
                .all(|change| side(change) == Compatibility::Compatible)
        };
        Self::of(
            is_compatible(|change| change.backward),
            is_compatible(|change| change.forward),
        )
    }

    fn is_backward(self) -> bool {
        self.backward == Compatibility::Compatible
    }

    fn is_forward(self) -> bool {
        self.forward == Compatibility::Compatible
    }

    fn is_same(self) -> bool {
        self.is_backward() && self.is_forward()
    }
}

impl Walk<'_> {
    fn report(&mut self, path: &str, message: impl Into<String>, verdict: Verdict) {
        self.changes.push(SchemaChange {
            path: path.to_owned(),
            message: message.into(),
            backward: verdict.backward,
            forward: verdict.forward,
        });
    }

    /// The changes between two schemas, without telling them.
    fn apart(&self, old: &Place<'_>, new: &Place<'_>) -> Vec<SchemaChange> {
        let mut walk = Walk {
            old: self.old,
            new: self.new,
            seen: self.seen.clone(),
            changes: Vec::new(),
        };
        walk.pair(old, new);
        walk.changes
    }

    /// Tells the changes between two schemas.
    fn pair(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let (Some(old), Some(new)) = (old.resolved(self.old), new.resolved(self.new)) else {
            if !is_same((self.old, old), (self.new, new)) {
                let message = "a reference that leads nowhere in the document";
                self.report(&new.path, message, Verdict::OTHER);
            }
            return;
        };
        if !self.seen.insert((old.key.clone(), new.key.clone())) {
            return;
        }
        match (old.is_nothing(), new.is_nothing()) {
            (true, true) => return,
            (true, false) => {
                let message = "values are accepted where none was";
                return self.report(&new.path, message, Verdict::WIDER);
            }
            (false, true) => {
                let message = "no value is accepted any more";
                return self.report(&new.path, message, Verdict::NARROWER);
            }
            (false, false) => {}
        }
        let unknown: BTreeSet<String> = unknown_keywords(&old)
            .chain(unknown_keywords(&new))
            .collect();
        if !unknown.is_empty() {
            if is_same((self.old, &old), (self.new, &new)) {
                return;
            }
            for keyword in unknown {
                let message = format!("`{keyword}` is not understood, so nothing is sure");
                self.report(&new.path, message, Verdict::OTHER);
            }
        }
        if old.is_union() || new.is_union() {
            self.unions(&old, &new);
        } else {
            self.conjuncts(&old, &new);
        }
    }

    /// Every keyword on its own: all of them have to be met.
    fn conjuncts(&mut self, old: &Place<'_>, new: &Place<'_>) {
        for keyword in ["anyOf", "oneOf", "$ref"] {
            match (old.only(keyword), new.only(keyword)) {
                (None, None) => {}
                (Some(old), Some(new)) => self.pair(&old, &new),
                (Some(old), None) => {
                    let message = format!("`{keyword}` has to be met no more");
                    self.report(&old.path, message, Verdict::WIDER);
                }
                (None, Some(new)) => {
                    let message = format!("`{keyword}` has to be met as well");
                    self.report(&new.path, message, Verdict::NARROWER);
                }
            }
        }
        self.values(old, new);
        self.items(old, new);
        self.fields(old, new);
    }
}

#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
