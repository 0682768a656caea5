//! Choices between schemas: which alternative of one side stands for which one of the other.

use serde_json::Value;

use super::place::{Place, type_of};
use super::{SchemaChange, Verdict, Walk};

/// The two sides of a choice, and what the alternatives of one side change in those of the other.
struct Choice {
    old: Vec<Place<'static>>,
    new: Vec<Place<'static>>,
    /// By old alternative, then by new one.
    changes: Vec<Vec<Vec<SchemaChange>>>,
    /// Which old alternative has become which new one.
    pairs: Vec<(usize, usize)>,
}

impl Choice {
    fn verdict(&self, old: usize, new: usize) -> Verdict {
        Verdict::sum(&self.changes[old][new])
    }

    fn is_free(&self, old: usize, new: usize) -> bool {
        let is_taken = |(left, right): &(usize, usize)| *left == old || *right == new;
        !self.pairs.iter().any(is_taken)
    }

    /// Makes pairs of those that are free and belong together, preferring those at the same place.
    fn make_pairs(&mut self, belong: impl Fn(&Self, usize, usize) -> bool) {
        for old in 0..self.old.len() {
            let at_same_place = (old < self.new.len()).then_some(old);
            let others = 0..self.new.len();
            let mut found = at_same_place.into_iter().chain(others);
            let found = found.find(|new| self.is_free(old, *new) && belong(self, old, *new));
            self.pairs.extend(found.map(|new| (old, new)));
        }
    }

    /// Whether nothing moved, went or came.
    fn is_unchanged(&self) -> bool {
        self.old.len() == self.new.len()
            && self.pairs.len() == self.old.len()
            && self
                .pairs
                .iter()
                .all(|(old, new)| old == new && self.changes[*old][*new].is_empty())
    }
}

impl Walk<'_> {
    /// Two schemas of which one at least is a choice.
    pub(super) fn unions(&mut self, old: &Place<'_>, new: &Place<'_>) {
        let (Some(before), Some(now)) = (old.alternatives(self.old), new.alternatives(self.new))
        else {
            let message = "a choice with a reference that leads nowhere";
            return self.report(&new.path, message, Verdict::OTHER);
        };
        let changes = before.iter().map(|old| {
            let row = now.iter().map(|new| self.apart(old, new));
            row.collect()
        });
        let mut choice = Choice {
            changes: changes.collect(),
            old: before,
            new: now,
            pairs: Vec::new(),
        };
        choice.make_pairs(|it, old, new| it.changes[old][new].is_empty());
        choice.make_pairs(|it, old, new| {
            let verdict = it.verdict(old, new);
            verdict.is_backward() || verdict.is_forward()
        });
        choice.make_pairs(|it, old, new| is_alike(&it.old[old], &it.new[new]));
        self.exclusions(old, new, &choice);
        self.gone_and_added(&choice);
        for (old, new) in &choice.pairs {
            self.changes
                .extend(choice.changes[*old][*new].iter().cloned());
        }
    }

    fn gone_and_added(&mut self, choice: &Choice) {
        let (olds, news) = (0..choice.old.len(), 0..choice.new.len());
        for old in olds.clone() {
            if choice.pairs.iter().any(|pair| pair.0 == old) {
                continue;
            }
            let place = &choice.old[old];
            let is_covered = news
                .clone()
                .any(|new| choice.verdict(old, new).is_backward());
            let message = format!("the alternative {} is gone", words(place));
            self.report(&place.path, message, Verdict::of(is_covered, true));
        }
        for new in news {
            if choice.pairs.iter().any(|pair| pair.1 == new) {
                continue;
            }
            let place = &choice.new[new];
            let is_covered = olds
                .clone()
                .any(|old| choice.verdict(old, new).is_forward());
            let message = format!("the alternative {} is new", words(place));
            self.report(&place.path, message, Verdict::of(true, is_covered));
        }
    }

    /// `oneOf` refuses what meets two alternatives, so an alternative that accepts more may take from the others.
    fn exclusions(&mut self, old: &Place<'_>, new: &Place<'_>, choice: &Choice) {
        if choice.is_unchanged() && shape(old, self.old) == shape(new, self.new) {
            return;
        }
        let verdict = Verdict::of(is_exclusive(new, self.new), is_exclusive(old, self.old));
        if !verdict.is_same() {
            let message = "a value may meet two alternatives of `oneOf`, which then refuses it";
            self.report(&new.path, message, verdict);
        }
    }
}

/// How choices lie in each other.
fn shape(place: &Place<'_>, root: &Value) -> String {
    let Some(place) = place.resolved(root).filter(Place::is_union) else {
        return String::new();
    };
    let keyword = if place.get("oneOf").is_some() {
        '1'
    } else {
        '+'
    };
    let inner: Vec<String> = place.branches().map(|it| shape(&it, root)).collect();
    format!("{keyword}({})", inner.join(","))
}

/// Whether no value can meet two alternatives of a `oneOf`, however deep in the choice.
fn is_exclusive(place: &Place<'_>, root: &Value) -> bool {
    let Some(place) = place.resolved(root).filter(Place::is_union) else {
        return true;
    };
    let branches: Vec<_> = place.branches().collect();
    let are_apart = |(at, branch): (usize, &Place<'_>)| {
        let mut others = branches[at + 1..].iter();
        others.all(|other| branch.is_disjoint(other, root))
    };
    let is_open = place.get("oneOf").is_none();
    (is_open || branches.iter().enumerate().all(are_apart))
        && branches.iter().all(|branch| is_exclusive(branch, root))
}

/// Whether two alternatives seem to be the same thing before and after: the same name, or objects that share a field.
fn is_alike(old: &Place<'_>, new: &Place<'_>) -> bool {
    let is_object = |place: &Place<'_>| place.get("properties").is_some();
    if is_object(old) && is_object(new) {
        return old.path == new.path
            || crate::schema::names_of_fields(&old.schema).any(|name| new.field(name).is_some());
    }
    old.listed().is_none() && new.listed().is_none() && old.types() == new.types()
}

/// An alternative in a few words.
fn words(place: &Place<'_>) -> String {
    if let Some(values) = place.listed() {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        return values.join(" or ");
    }
    match place.path.strip_prefix("/$defs/") {
        Some(name) if !name.contains('/') => name.to_owned(),
        _ => match place.get("type") {
            Some(Value::String(name)) => format!("of type {name}"),
            Some(other) => format!("of type {}", type_of(other)),
            None => "without a type".to_owned(),
        },
    }
}
