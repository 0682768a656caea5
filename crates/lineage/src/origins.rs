//! Where the values of one column come from, while a plan is walked.

use std::rc::Rc;

use crate::Derivation;

/// The number of a column of an input, in the order in which the walk met them.
pub(crate) type OriginId = u32;

/// A set of [`Derivation`]s, and whether the column is one of several that the value is chosen from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Derivations(u8);

/// The bit behind those of [`Derivation`].
const CHOSEN: u8 = 1 << 7;

impl Derivations {
    pub(crate) fn has(self, derivation: Derivation) -> bool {
        self.0 & derivation.bit() != 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = Derivation> {
        Derivation::ALL.into_iter().filter(move |it| self.has(*it))
    }

    /// Whether an engine that compares the column compares the stored one.
    pub(crate) fn is_comparable(self) -> bool {
        let is_chosen = self.0 & CHOSEN != 0;
        !is_chosen && (self.has(Derivation::Identity) || self.has(Derivation::Cast))
    }

    /// Whether rows are compared by something that was made of it, row by row: computed, or chosen, or chosen by.
    pub(crate) fn is_made_of(self) -> bool {
        let is_chosen = self.0 & CHOSEN != 0;
        is_chosen || self.has(Derivation::Transformation) || self.has(Derivation::Conditional)
    }

    fn has_value(self) -> bool {
        self.iter().any(Derivation::is_direct)
    }

    /// What becomes of the set when what it leads to is used in `step`.
    fn then(self, step: Derivation) -> Self {
        let mut after = Self(self.0 & CHOSEN);
        for before in self.iter() {
            let it = match (before, step) {
                (before, Derivation::Identity) => before,
                (Derivation::Identity, step) => step,
                (Derivation::Cast, Derivation::Cast) => Derivation::Cast,
                // What decides goes on to decide; what decides about a condition decides.
                (Derivation::Conditional | Derivation::Window, _) => before,
                (_, Derivation::Conditional | Derivation::Window) => step,
                (Derivation::Aggregation, _) | (_, Derivation::Aggregation) => {
                    Derivation::Aggregation
                }
                _ => Derivation::Transformation,
            };
            after.0 |= it.bit();
        }
        after
    }
}

/// The columns of inputs that one column comes from. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origins(Rc<Vec<(OriginId, Derivations)>>);

impl Origins {
    /// A stored column itself.
    pub(crate) fn of(id: OriginId) -> Self {
        Self(Rc::new(vec![(id, Derivations(Derivation::Identity.bit()))]))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (OriginId, Derivations)> {
        self.0.iter().copied()
    }

    /// The columns whose values enter the column's.
    pub(crate) fn with_value(&self) -> impl Iterator<Item = (OriginId, Derivations)> {
        self.iter()
            .filter(|(_, derivations)| derivations.has_value())
    }

    /// The same columns, used in one more step.
    pub(crate) fn then(&self, step: Derivation) -> Self {
        if step == Derivation::Identity || self.is_empty() {
            return self.clone();
        }
        let origins = self.iter().map(|(id, before)| (id, before.then(step)));
        Self(Rc::new(origins.collect()))
    }

    /// The same columns, as one of several values.
    pub(crate) fn chosen(&self) -> Self {
        let origins = self
            .iter()
            .map(|(id, Derivations(set))| (id, Derivations(set | CHOSEN)));
        Self(Rc::new(origins.collect()))
    }

    /// The columns of both.
    pub(crate) fn and(&self, other: &Self) -> Self {
        if other.is_empty() || self == other {
            return self.clone();
        }
        if self.is_empty() {
            return other.clone();
        }
        let mut merged: Vec<(OriginId, Derivations)> =
            Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.iter().peekable(), other.iter().peekable());
        loop {
            let next = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => left.next(),
                (None, Some(_)) => right.next(),
                (Some((a, _)), Some((b, _))) if a < b => left.next(),
                (Some((a, _)), Some((b, _))) if a > b => right.next(),
                _ => left
                    .next()
                    .zip(right.next())
                    .map(|((id, Derivations(a)), (_, Derivations(b)))| (id, Derivations(a | b))),
            };
            merged.extend(next);
        }
        Self(Rc::new(merged))
    }
}

impl FromIterator<Origins> for Origins {
    fn from_iter<I: IntoIterator<Item = Self>>(several: I) -> Self {
        several
            .into_iter()
            .fold(Self::default(), |all, one| all.and(&one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Derivation::{Aggregation, Cast, Conditional, Identity, Transformation, Window};

    fn names(origins: &Origins) -> Vec<(OriginId, Vec<&'static str>)> {
        origins
            .iter()
            .map(|(id, set)| (id, set.iter().map(Derivation::as_str).collect()))
            .collect()
    }

    #[test]
    fn sets_are_merged_by_column() {
        let cast = Origins::of(2).then(Cast);
        let all: Origins = [Origins::of(3), Origins::of(2), cast, Origins::of(1)]
            .into_iter()
            .collect();
        assert_eq!(
            names(&all),
            [
                (1, vec!["identity"]),
                (2, vec!["identity", "cast"]),
                (3, vec!["identity"])
            ]
        );
    }

    #[test]
    fn the_strongest_step_is_told() {
        let after = |steps: &[Derivation]| {
            let origins = steps
                .iter()
                .fold(Origins::of(1), |origins, step| origins.then(*step));
            names(&origins)[0].1.clone()
        };
        assert_eq!(after(&[Identity, Identity]), ["identity"]);
        assert_eq!(after(&[Cast, Identity, Cast]), ["cast"]);
        assert_eq!(after(&[Cast, Transformation]), ["transformation"]);
        assert_eq!(after(&[Transformation, Cast]), ["transformation"]);
        assert_eq!(after(&[Aggregation, Transformation]), ["aggregation"]);
        assert_eq!(after(&[Cast, Aggregation]), ["aggregation"]);
        assert_eq!(after(&[Conditional, Aggregation]), ["conditional"]);
        assert_eq!(after(&[Aggregation, Conditional]), ["conditional"]);
        assert_eq!(after(&[Window, Transformation]), ["window"]);
    }
}
