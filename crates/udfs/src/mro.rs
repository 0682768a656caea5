//! C3 linearisation: the order in which Python looks a name up in a class and its ancestors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array};
use datafusion::arrow::array::{ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type};

use crate::Error;
use crate::aggregate::AggregateSpec;
use crate::argument::{Argument, Reads};
use crate::rows::{SortedGroups, element_field};

pub(crate) const C3_MRO: AggregateSpec = AggregateSpec {
    name: "c3_mro",
    version: 1,
    doc: "The C3 linearisation of every class of a group of rows, as a list of struct<class_id, position, ancestor_id, is_exact>; position 0 is the class itself. A row is one base of a class; a class without bases is one row whose position and base are null. A null base with a position is a base that is not known. A base that is no class of the rows has no bases. Where C3 has no answer (an inconsistent hierarchy, a cycle) ancestors come depth first, each once; `is_exact` is false then, and below an unknown base.",
    example: "c3_mro(class_id, position, base_id)",
    arguments: &[
        Argument::required("class_id", Reads::Long),
        Argument::optional("position", Reads::Integer),
        Argument::optional("base_id", Reads::Long),
    ],
    returns: |_| DataType::List(element_field(ancestor_fields())),
    finish: linearisations,
};

fn ancestor_fields() -> Fields {
    Fields::from(vec![
        Field::new("class_id", DataType::Int64, false),
        Field::new("position", DataType::Int32, false),
        Field::new("ancestor_id", DataType::Int64, false),
        Field::new("is_exact", DataType::Boolean, false),
    ])
}

#[expect(clippy::unnecessary_wraps, reason = "every aggregate's end may fail")]
fn linearisations(groups: &SortedGroups) -> Result<ArrayRef, Error> {
    let classes = groups.rows.column(0).as_primitive::<Int64Type>();
    let positions = groups.rows.column(1);
    let bases = groups.rows.column(2).as_primitive::<Int64Type>();
    let (mut class_ids, mut depths, mut ancestors) = (Vec::new(), Vec::new(), Vec::new());
    let (mut exact, mut lengths) = (Vec::new(), Vec::new());
    for bounds in groups.offsets.windows(2) {
        let mut hierarchy = Hierarchy::default();
        for row in index(bounds[0])..index(bounds[1]) {
            let base = bases.is_valid(row).then(|| bases.value(row));
            hierarchy.add(classes.value(row), positions.is_valid(row), base);
        }
        let first = class_ids.len();
        for (class, mro) in hierarchy.linearise() {
            for (position, ancestor) in (0..).zip(mro.ancestors) {
                class_ids.push(class);
                depths.push(position);
                ancestors.push(ancestor);
                exact.push(mro.is_exact);
            }
        }
        lengths.push(class_ids.len() - first);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(class_ids)),
        Arc::new(Int32Array::from(depths)),
        Arc::new(Int64Array::from(ancestors)),
        Arc::new(BooleanArray::from(exact)),
    ];
    let rows = StructArray::new(ancestor_fields(), columns, None);
    let offsets = OffsetBuffer::from_lengths(lengths);
    let element = element_field(ancestor_fields());
    Ok(Arc::new(ListArray::new(
        element,
        offsets,
        Arc::new(rows),
        None,
    )))
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).unwrap_or_default()
}

/// A class and its ancestors in lookup order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mro {
    pub(crate) ancestors: Vec<i64>,
    pub(crate) is_exact: bool,
}

/// Classes with their bases, in the order in which they are written.
#[derive(Debug, Default)]
pub(crate) struct Hierarchy {
    bases: BTreeMap<i64, Vec<i64>>,
    with_unknown_base: BTreeSet<i64>,
}

impl Hierarchy {
    /// Adds a class, or one more base of it; `is_base` tells a base that is not known from no base at all.
    pub(crate) fn add(&mut self, class: i64, is_base: bool, base: Option<i64>) {
        let bases = self.bases.entry(class).or_default();
        match base {
            Some(base) if !bases.contains(&base) => bases.push(base),
            None if is_base => {
                self.with_unknown_base.insert(class);
            }
            _ => {}
        }
    }

    /// The linearisation of every class.
    pub(crate) fn linearise(&self) -> BTreeMap<i64, Mro> {
        let mut done = BTreeMap::new();
        for class in self.bases.keys() {
            self.linearise_into(*class, &mut done);
        }
        done
    }

    /// Depth first with a stack of its own: a hierarchy may be deeper than the thread's.
    fn linearise_into(&self, class: i64, done: &mut BTreeMap<i64, Mro>) {
        let mut open = vec![class];
        let mut on_path = BTreeSet::from([class]);
        while let Some(&class) = open.last() {
            let bases = self.bases.get(&class).map_or(&[][..], Vec::as_slice);
            let pending = bases.iter().find(|base| {
                self.bases.contains_key(base) && !done.contains_key(base) && !on_path.contains(base)
            });
            if let Some(base) = pending {
                open.push(*base);
                on_path.insert(*base);
                continue;
            }
            if !done.contains_key(&class) {
                let mro = self.merge(class, bases, done);
                done.insert(class, mro);
            }
            on_path.remove(&class);
            open.pop();
        }
    }

    fn merge(&self, class: i64, bases: &[i64], done: &BTreeMap<i64, Mro>) -> Mro {
        let mut is_exact = !self.with_unknown_base.contains(&class);
        let mut sequences: Vec<Vec<i64>> = Vec::new();
        let mut acyclic = Vec::new();
        for base in bases {
            match done.get(base) {
                Some(mro) => {
                    is_exact &= mro.is_exact;
                    sequences.push(mro.ancestors.clone());
                    acyclic.push(*base);
                }
                // A base that is still being worked on inherits from this class.
                None if self.bases.contains_key(base) => is_exact = false,
                None => {
                    sequences.push(vec![*base]);
                    acyclic.push(*base);
                }
            }
        }
        sequences.push(acyclic);
        let mut ancestors = vec![class];
        if let Some(merged) = c3_merge(&sequences) {
            ancestors.extend(merged);
        } else {
            is_exact = false;
            let mut seen = BTreeSet::from([class]);
            ancestors.extend(sequences.into_iter().flatten().filter(|a| seen.insert(*a)));
        }
        Mro {
            ancestors,
            is_exact,
        }
    }
}

/// Repeatedly takes the first head that is in no tail; `None` when every head is.
fn c3_merge(sequences: &[Vec<i64>]) -> Option<Vec<i64>> {
    let mut rest: Vec<&[i64]> = sequences.iter().map(Vec::as_slice).collect();
    let mut in_tails: BTreeMap<i64, usize> = BTreeMap::new();
    for ancestor in rest
        .iter()
        .filter_map(|sequence| sequence.get(1..))
        .flatten()
    {
        *in_tails.entry(*ancestor).or_default() += 1;
    }
    let mut merged = Vec::new();
    loop {
        rest.retain(|sequence| !sequence.is_empty());
        if rest.is_empty() {
            return Some(merged);
        }
        let mut heads = rest.iter().filter_map(|sequence| sequence.first());
        let next = *heads.find(|head| in_tails.get(head).is_none_or(|tails| *tails == 0))?;
        merged.push(next);
        for sequence in &mut rest {
            if let [head, tail @ ..] = *sequence
                && *head == next
            {
                *sequence = tail;
                if let Some(tails) = tail.first().and_then(|head| in_tails.get_mut(head)) {
                    *tails -= 1;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    /// Classes are letters; `A: B C` says that A inherits from B and C, `?` is an unknown base.
    #[track_caller]
    fn check(declarations: &[&str], want: &Expect) {
        let id = |letter: &str| i64::from(letter.as_bytes()[0]);
        let mut hierarchy = Hierarchy::default();
        for declaration in declarations {
            let (class, bases) = declaration.split_once(':').unwrap();
            hierarchy.add(id(class), false, None);
            for base in bases.split_whitespace() {
                hierarchy.add(id(class), true, (base != "?").then(|| id(base)));
            }
        }
        let lines: Vec<String> = hierarchy
            .linearise()
            .values()
            .map(|mro| {
                let letters = mro
                    .ancestors
                    .iter()
                    .map(|a| char::from(u8::try_from(*a).unwrap()));
                let tail = if mro.is_exact { "" } else { " ~" };
                format!("{}{tail}", letters.collect::<String>())
            })
            .collect();
        want.assert_eq(&lines.join(" | "));
    }

    #[test]
    fn a_diamond_meets_its_top_last() {
        check(
            &["A:", "B: A", "C: A", "D: B C"],
            &expect!["A | BA | CA | DBCA"],
        );
    }

    #[test]
    fn the_example_of_the_python_documentation() {
        check(
            &["O:", "F: O", "E: O", "D: O", "C: D F", "B: D E", "A: B C"],
            &expect!["ABCDEFO | BDEO | CDFO | DO | EO | FO | O"],
        );
    }

    #[test]
    fn inconsistent_cyclic_and_unknown_bases_are_told() {
        check(
            &["X:", "Y:", "A: X Y", "B: Y X", "Z: A B"],
            &expect!["AXY | BYX | X | Y | ZAXYB ~"],
        );
        check(&["A: B", "B: A", "C: A"], &expect!["AB ~ | B ~ | CAB ~"]);
        check(&["A: ?", "B: A", "C: E"], &expect!["A ~ | BA ~ | CE"]);
    }

    #[test]
    fn a_deep_chain_does_not_overflow_the_stack() {
        let mut hierarchy = Hierarchy::default();
        for class in 0..2_000 {
            hierarchy.add(class, true, Some(class + 1));
        }
        assert_eq!(hierarchy.linearise()[&0].ancestors.len(), 2_001);
    }
}
