//! Reads a policy out of what was written down, and collects everything that is wrong with it on the way.

use std::collections::BTreeMap;

use crate::Override;
use crate::spelling::node::{Entry, Node, Span, Value};
use crate::spelling::{Spelled, SpellingError, nearest_name};

/// The key that names the fields which go back to their defaults.
const DEFAULT: &str = "default";

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// The keys that lead there.
    pub(crate) path: Vec<String>,
    pub(crate) span: Span,
    pub(crate) error: SpellingError,
}

/// Collects what is wrong, and where everything stands.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    path: Vec<String>,
    pub(crate) complaints: Vec<Complaint>,
    /// The keys that were read, by the keys that lead to them.
    pub(crate) places: BTreeMap<Vec<String>, Span>,
}

/// A table whose keys are known.
pub(crate) struct Fields<'n> {
    entries: Vec<&'n Entry>,
    cleared: Vec<&'n str>,
    /// Whether there were other keys, of which the reader has complained.
    pub(crate) has_others: bool,
}

impl Reader {
    pub(crate) fn complain(&mut self, span: &Span, error: SpellingError) {
        self.complaints.push(Complaint {
            path: self.path.clone(),
            span: span.clone(),
            error,
        });
    }

    /// Complains that a value is not what was wanted, and gives back nothing.
    pub(crate) fn refuse<T>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        self.complain(
            &node.span,
            SpellingError::WrongValue {
                found: node.value.to_string(),
                wanted: wanted.to_owned(),
                nearest: None,
            },
        );
        None
    }

    /// Reads what stands under a key.
    pub(crate) fn entry<'n, T>(
        &mut self,
        entry: &'n Entry,
        read: impl FnOnce(&'n Node, &mut Self) -> Option<T>,
    ) -> Option<T> {
        self.path.push(entry.key.clone());
        self.places
            .insert(self.path.clone(), entry.key_span.clone());
        let value = read(&entry.node, self);
        self.path.pop();
        value
    }

    /// The entries of a table, each key once.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<Vec<&'n Entry>> {
        let Value::Table(all) = &node.value else {
            return self.refuse(node, wanted);
        };
        let mut entries: Vec<&Entry> = Vec::new();
        for entry in all {
            if entries.iter().any(|other| other.key == entry.key) {
                let found = entry.key.clone();
                self.complain(&entry.key_span, SpellingError::DuplicateKey { found });
            } else {
                entries.push(entry);
            }
        }
        Some(entries)
    }

    /// The entries of a table that has no other keys than these.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        known: &[&str],
        wanted: &str,
    ) -> Option<Fields<'n>> {
        let mut entries = self.entries(node, wanted)?;
        let count = entries.len();
        entries.retain(|entry| {
            let is_known = known.contains(&entry.key.as_str());
            if !is_known {
                let error = SpellingError::UnknownKey {
                    found: entry.key.clone(),
                    wanted: enumerate(known),
                    nearest: nearest_name(&entry.key, known.iter().copied()),
                };
                self.complain(&entry.key_span, error);
            }
            is_known
        });
        Some(Fields {
            has_others: entries.len() < count,
            entries,
            cleared: Vec::new(),
        })
    }

    /// As [`Self::fields`], where the key `default` names fields that go back to their defaults, though not `others`.
    pub(crate) fn overrides<'n>(
        &mut self,
        node: &'n Node,
        known: &[&str],
        others: &[&str],
        wanted: &str,
    ) -> Option<Fields<'n>> {
        let mut fields = self.fields(node, &[known, others, &[DEFAULT]].concat(), wanted)?;
        let Some(at) = fields.entries.iter().position(|it| it.key == DEFAULT) else {
            return Some(fields);
        };
        let default = fields.entries.remove(at);
        fields.cleared = self
            .entry(default, |node, reader| Some(reader.names(node, known)))
            .unwrap_or_default();
        Some(fields)
    }

    /// The known ones of a list of names.
    fn names<'n>(&mut self, node: &'n Node, known: &[&str]) -> Vec<&'n str> {
        let wanted = format!("a list of {}", enumerate(known));
        let Value::List(nodes) = &node.value else {
            self.refuse::<()>(node, &wanted);
            return Vec::new();
        };
        let mut names = Vec::new();
        for node in nodes {
            match &node.value {
                Value::Text(name) if known.contains(&name.as_str()) => names.push(name.as_str()),
                value => {
                    let found = match value {
                        Value::Text(name) => name.as_str(),
                        _ => "",
                    };
                    let error = SpellingError::WrongValue {
                        found: value.to_string(),
                        wanted: enumerate(known),
                        nearest: nearest_name(found, known.iter().copied()),
                    };
                    self.complain(&node.span, error);
                }
            }
        }
        names
    }

    /// What a table says about one of its fields.
    pub(crate) fn field<T: Spelled>(&mut self, fields: &Fields<'_>, key: &str) -> Override<T> {
        let is_cleared = fields.cleared.contains(&key);
        let Some(entry) = fields.entries.iter().find(|entry| entry.key == key) else {
            return if is_cleared {
                Override::Clear
            } else {
                Override::Inherit
            };
        };
        if is_cleared {
            let field = key.to_owned();
            self.complain(&entry.key_span, SpellingError::SetAndCleared { field });
        }
        self.entry(entry, T::read)
            .map_or(Override::Inherit, Override::Set)
    }

    /// What stands under one of the fields of a table.
    pub(crate) fn option<T: Spelled>(&mut self, fields: &Fields<'_>, key: &str) -> Option<T> {
        let entry = fields.entries.iter().find(|entry| entry.key == key)?;
        self.entry(entry, T::read)
    }
}

impl Fields<'_> {
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }
}

/// The names as a sentence lists them.
pub(crate) fn enumerate(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [first @ .., last] => format!("`{}` or `{last}`", first.join("`, `")),
    }
}

/// Collects what is said about the fields of a table.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    entries: Vec<(&'static str, Value)>,
    cleared: Vec<Value>,
}

impl Writer {
    pub(crate) fn field<T: Spelled>(&mut self, key: &'static str, said: &Override<T>) {
        match said {
            Override::Inherit => {}
            Override::Clear => self.cleared.push(Value::text(key)),
            Override::Set(value) => self.entries.push((key, value.write())),
        }
    }

    pub(crate) fn option<T: Spelled>(&mut self, key: &'static str, value: Option<&T>) {
        self.entries.extend(value.map(|value| (key, value.write())));
    }

    pub(crate) fn finish(mut self) -> Value {
        if !self.cleared.is_empty() {
            self.entries.push((DEFAULT, Value::list(self.cleared)));
        }
        Value::table(self.entries)
    }
}
