//! Name resolution across modules: what a dotted name means once imports, re-exports, star imports and inheritance are
//! followed.
//!
//! The rows of a group describe a program and ask questions about it:
//!
//! | role | name | target | path | rank |
//! |---|---|---|---|---|
//! | `module` | a module of the tree | | | |
//! | `class` | a class's qualified name | | | |
//! | `name` | the qualified name of a function or an attribute | | | |
//! | `alias` | `module.name` or `class.name` of an imported name | the module it is imported from | what of the module, dotted | |
//! | `star` | a module that star-imports | the module it imports from | | later imports have larger ranks |
//! | `public` | a module with `__all__` | one name of it | | |
//! | `ancestor` | a class | an ancestor's qualified or external name | | place in the resolution order |
//! | `module_query` | a key | a module | a path in it, dotted | |
//! | `name_query` | a key | a qualified name | a path in it, dotted | |
//!
//! An answer is one of the things that a query may mean: a `module`, a `class` or a `name` of the tree, an `external`
//! name, a name that a module of the tree does not offer (`missing`), or the rest of a path behind something whose
//! members are not declared (`stuck`).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, StringArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int32Type};

use crate::Error;
use crate::aggregate::AggregateSpec;
use crate::argument::{Argument, Reads};
use crate::rows::{SortedGroups, element_field};

pub(crate) const RESOLVE_NAMES: AggregateSpec = AggregateSpec {
    name: "resolve_names",
    version: 1,
    doc: "What dotted names mean in a program, as a list of struct<key, position, status, target, rest>: one for each meaning of each query. The roles of the rows are module, class, name, alias, star, public, ancestor, module_query and name_query. The status is module, class, name, external, missing or stuck; `rest` is the part of the path that is left when it is stuck.",
    example: "resolve_names(role, name, target, path, rank)",
    arguments: &[
        Argument::required("role", Reads::Text),
        Argument::required("name", Reads::Text),
        Argument::optional("target", Reads::Text),
        Argument::optional("path", Reads::Text),
        Argument::optional("rank", Reads::Integer),
    ],
    returns: |_| DataType::List(element_field(answer_fields())),
    finish: answers,
};

fn answer_fields() -> Fields {
    Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("position", DataType::Int32, false),
        Field::new("status", DataType::Utf8, false),
        Field::new("target", DataType::Utf8, false),
        Field::new("rest", DataType::Utf8, true),
    ])
}

fn answers(groups: &SortedGroups) -> Result<ArrayRef, Error> {
    let (mut keys, mut positions) = (Vec::new(), Vec::new());
    let (mut statuses, mut targets, mut rests) = (Vec::new(), Vec::new(), Vec::new());
    let mut lengths = Vec::new();
    for bounds in groups.offsets.windows(2) {
        let start = usize::try_from(bounds[0]).unwrap_or_default();
        let end = usize::try_from(bounds[1]).unwrap_or_default();
        let rows = groups.rows.slice(start, end - start);
        let (program, queries) = read_rows(&rows)?;
        let mut resolution = Resolution::new(&program);
        let first = keys.len();
        for query in queries {
            for (position, meaning) in (0..).zip(resolution.answer(&query)) {
                let (status, target, rest) = meaning.into_parts();
                keys.push(query.key.to_owned());
                positions.push(position);
                statuses.push(status);
                targets.push(target);
                rests.push(rest);
            }
        }
        lengths.push(keys.len() - first);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(keys)),
        Arc::new(Int32Array::from(positions)),
        Arc::new(StringArray::from(statuses)),
        Arc::new(StringArray::from(targets)),
        Arc::new(StringArray::from(rests)),
    ];
    let rows = StructArray::new(answer_fields(), columns, None);
    let offsets = OffsetBuffer::from_lengths(lengths);
    let element = element_field(answer_fields());
    Ok(Arc::new(ListArray::new(
        element,
        offsets,
        Arc::new(rows),
        None,
    )))
}

const ROLES: &str =
    "module, class, name, alias, star, public, ancestor, module_query and name_query";

fn read_rows(rows: &StructArray) -> Result<(Program<'_>, Vec<Query<'_>>), Error> {
    let text = |column: usize| rows.column(column).as_string::<i32>();
    let (roles, names, targets, paths) = (text(0), text(1), text(2), text(3));
    let ranks = rows.column(4).as_primitive::<Int32Type>();
    let optional = |array: &'_ StringArray, row| array.is_valid(row).then_some(row);
    let mut program = Program::default();
    let mut queries = Vec::new();
    for row in 0..rows.len() {
        let name = names.value(row);
        let target = optional(targets, row).map_or("", |row| targets.value(row));
        let path = optional(paths, row).map_or("", |row| paths.value(row));
        let rank = if ranks.is_valid(row) {
            ranks.value(row)
        } else {
            0
        };
        let origin = Origin { root: target, path };
        match roles.value(row) {
            "module" => program.add_module(name),
            "class" => program.classes.extend([name]),
            "name" => program.names.extend([name]),
            "alias" => program.aliases.entry(name).or_default().push(origin),
            "star" => program.stars.entry(name).or_default().push((rank, target)),
            "public" => program.public.entry(name).or_default().extend([target]),
            "ancestor" => program
                .ancestors
                .entry(name)
                .or_default()
                .push((rank, target)),
            "module_query" => queries.push(Query {
                key: name,
                origin,
                in_module: true,
            }),
            "name_query" => queries.push(Query {
                key: name,
                origin,
                in_module: false,
            }),
            found => {
                return Err(Error::UnknownRole {
                    found: found.to_owned(),
                    wanted: ROLES,
                });
            }
        }
    }
    program.sort();
    Ok((program, queries))
}

/// Something to start at and the members to go through from there, dotted; no member when empty.
#[derive(Debug, Clone, Copy)]
struct Origin<'a> {
    root: &'a str,
    path: &'a str,
}

#[derive(Debug)]
struct Query<'a> {
    key: &'a str,
    origin: Origin<'a>,
    in_module: bool,
}

/// What is declared where.
#[derive(Debug, Default)]
struct Program<'a> {
    modules: HashSet<&'a str>,
    /// Packages without a file: the proper prefixes of the modules.
    namespaces: HashSet<&'a str>,
    classes: HashSet<&'a str>,
    names: HashSet<&'a str>,
    aliases: HashMap<&'a str, Vec<Origin<'a>>>,
    stars: BTreeMap<&'a str, Vec<(i32, &'a str)>>,
    public: HashMap<&'a str, HashSet<&'a str>>,
    ancestors: BTreeMap<&'a str, Vec<(i32, &'a str)>>,
}

impl<'a> Program<'a> {
    fn add_module(&mut self, name: &'a str) {
        self.modules.insert(name);
        let dots = name.match_indices('.').filter_map(|(at, _)| name.get(..at));
        self.namespaces.extend(dots);
    }

    /// The last star import wins, and the nearest ancestor.
    fn sort(&mut self) {
        for stars in self.stars.values_mut() {
            stars.sort_by_key(|(rank, target)| (std::cmp::Reverse(*rank), *target));
        }
        for ancestors in self.ancestors.values_mut() {
            ancestors.sort_unstable();
        }
    }

    fn is_module(&self, name: &str) -> bool {
        self.modules.contains(name) || self.namespaces.contains(name)
    }

    /// Whether `from module import *` brings the name.
    fn offers(&self, module: &str, name: &str) -> bool {
        match self.public.get(module) {
            Some(names) => names.contains(name),
            None => !name.starts_with('_'),
        }
    }

    fn declared(&self, name: &str) -> Option<Meaning> {
        if self.classes.contains(name) {
            Some(Meaning::Class(name.to_owned()))
        } else if self.names.contains(name) {
            Some(Meaning::Name(name.to_owned()))
        } else {
            None
        }
    }
}

/// One thing that a name may mean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Meaning {
    Module(String),
    Class(String),
    Name(String),
    External(String),
    Missing(String),
    Stuck { at: String, rest: String },
}

impl Meaning {
    fn is_found(&self) -> bool {
        !matches!(self, Self::Missing(_) | Self::Stuck { .. })
    }

    fn into_parts(self) -> (&'static str, String, Option<String>) {
        match self {
            Self::Module(name) => ("module", name, None),
            Self::Class(name) => ("class", name, None),
            Self::Name(name) => ("name", name, None),
            Self::External(name) => ("external", name, None),
            Self::Missing(name) => ("missing", name, None),
            Self::Stuck { at, rest } => ("stuck", at, Some(rest)),
        }
    }
}

/// Whose member a name is. A module and something in its package may have one dotted name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Owner {
    Module,
    Class,
}

/// Chains of imports longer than this are not followed; real ones have a handful of links.
const DEPTH_MAX: usize = 200;

/// Answers queries; what a module's member means is worked out once.
#[derive(Debug)]
struct Resolution<'p, 'a> {
    program: &'p Program<'a>,
    known: HashMap<(Owner, String), Vec<Meaning>>,
    /// The members that are being worked out, outermost first.
    open: Vec<(Owner, String)>,
    /// The outermost open member that was met again since it was last reset. What lies inside of it is not final.
    reached: usize,
}

impl<'p, 'a> Resolution<'p, 'a> {
    fn new(program: &'p Program<'a>) -> Self {
        Self {
            program,
            known: HashMap::new(),
            open: Vec::new(),
            reached: usize::MAX,
        }
    }

    fn answer(&mut self, query: &Query<'_>) -> Vec<Meaning> {
        let Origin { root, path } = query.origin;
        if query.in_module {
            return self.in_module(query.origin);
        }
        let start = self.program.declared(root);
        let start = start.unwrap_or_else(|| Meaning::Missing(root.to_owned()));
        self.follow(start, path)
    }

    fn in_module(&mut self, origin: Origin<'_>) -> Vec<Meaning> {
        // `from . import x` at the top of the tree starts at the module without a name, whose members are modules.
        let (root, path) = match origin.root {
            "" => origin.path.split_once('.').unwrap_or((origin.path, "")),
            root => (root, origin.path),
        };
        let start = if self.program.is_module(root) {
            Meaning::Module(root.to_owned())
        } else {
            Meaning::External(root.to_owned())
        };
        self.follow(start, path)
    }

    /// Goes from one thing through its members.
    fn follow(&mut self, start: Meaning, path: &str) -> Vec<Meaning> {
        let mut meanings = vec![start];
        for member in path.split('.').filter(|member| !member.is_empty()) {
            let next: BTreeSet<Meaning> = meanings
                .into_iter()
                .flat_map(|meaning| self.member(meaning, member))
                .collect();
            meanings = prefer_found(next);
        }
        meanings
    }

    fn member(&mut self, of: Meaning, member: &str) -> Vec<Meaning> {
        match of {
            Meaning::Module(module) => self.module_member(&module, member),
            Meaning::Class(class) => self.class_member(&class, member),
            Meaning::Name(at) => vec![Meaning::Stuck {
                at,
                rest: member.to_owned(),
            }],
            Meaning::External(name) => vec![Meaning::External(format!("{name}.{member}"))],
            Meaning::Missing(name) => vec![Meaning::Missing(format!("{name}.{member}"))],
            Meaning::Stuck { at, rest } => {
                vec![Meaning::Stuck {
                    at,
                    rest: format!("{rest}.{member}"),
                }]
            }
        }
    }

    /// A name of the module wins over a submodule, a submodule over star imports. `from . import sub` in a package
    /// asks for itself: that it finds nothing new leaves the submodule.
    fn module_member(&mut self, module: &str, member: &str) -> Vec<Meaning> {
        let name = format!("{module}.{member}");
        let found = self.once(Owner::Module, &name, |own, name| {
            let imported = own.own_member(name);
            if imported.iter().any(Meaning::is_found) {
                return imported;
            }
            if own.program.is_module(name) {
                return vec![Meaning::Module(name.to_owned())];
            }
            let starred = own.star_member(module, member);
            if starred.is_empty() {
                imported
            } else {
                starred
            }
        });
        if found.is_empty() {
            vec![Meaning::Missing(name)]
        } else {
            found
        }
    }

    /// What the last star import that offers the name brings; those of modules outside the tree may offer anything.
    fn star_member(&mut self, module: &str, member: &str) -> Vec<Meaning> {
        let program = self.program;
        let stars = program.stars.get(module).map_or(&[][..], Vec::as_slice);
        let mut outside = Vec::new();
        for (_, target) in stars {
            if !program.is_module(target) {
                outside.push(Meaning::External(format!("{target}.{member}")));
            } else if program.offers(target, member) {
                let found = self.module_member(target, member);
                if found.iter().any(Meaning::is_found) {
                    return found;
                }
            }
        }
        if member.starts_with('_') {
            Vec::new()
        } else {
            outside
        }
    }

    fn class_member(&mut self, class: &str, member: &str) -> Vec<Meaning> {
        let own = format!("{class}.{member}");
        let found = self.once(Owner::Class, &own, Self::own_member);
        if !found.is_empty() {
            return found;
        }
        let program = self.program;
        let ancestors = program.ancestors.get(class).map_or(&[][..], Vec::as_slice);
        let mut outside = Vec::new();
        for (_, ancestor) in ancestors.iter().filter(|(_, ancestor)| *ancestor != class) {
            let inherited = format!("{ancestor}.{member}");
            if program.classes.contains(ancestor) {
                let found = self.once(Owner::Class, &inherited, Self::own_member);
                if !found.is_empty() {
                    return found;
                }
            } else {
                outside.push(Meaning::External(inherited));
            }
        }
        if outside.is_empty() {
            let (at, rest) = (class.to_owned(), member.to_owned());
            return vec![Meaning::Stuck { at, rest }];
        }
        outside
    }

    /// What is declared or imported under exactly this name.
    fn own_member(&mut self, name: &str) -> Vec<Meaning> {
        let program = self.program;
        let mut found: BTreeSet<Meaning> = program.declared(name).into_iter().collect();
        for alias in program.aliases.get(name).map_or(&[][..], Vec::as_slice) {
            found.extend(self.in_module(*alias));
        }
        prefer_found(found)
    }

    /// Works a member out, or remembers it. A member that is met while it is being worked out means nothing more.
    fn once(
        &mut self,
        owner: Owner,
        name: &str,
        work: impl FnOnce(&mut Self, &str) -> Vec<Meaning>,
    ) -> Vec<Meaning> {
        let key = (owner, name.to_owned());
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        if let Some(at) = self.open.iter().position(|open| *open == key) {
            self.reached = self.reached.min(at);
            return Vec::new();
        }
        let depth = self.open.len();
        if depth >= DEPTH_MAX {
            self.reached = 0;
            return Vec::new();
        }
        let outer = std::mem::replace(&mut self.reached, usize::MAX);
        self.open.push(key.clone());
        let found = work(self, name);
        self.open.pop();
        if self.reached >= depth {
            self.known.insert(key, found.clone());
            self.reached = outer;
        } else {
            self.reached = self.reached.min(outer);
        }
        found
    }
}

/// Everything that was found, or else why nothing was.
fn prefer_found(meanings: BTreeSet<Meaning>) -> Vec<Meaning> {
    let any_found = meanings.iter().any(Meaning::is_found);
    meanings
        .into_iter()
        .filter(|meaning| !any_found || meaning.is_found())
        .collect()
}

#[cfg(test)]
mod tests;
