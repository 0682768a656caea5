//! Classes and their bases.

use ruff_python_ast::{ArgOrKeyword, Arguments, Expr, StmtClassDef};
use ruff_text_size::Ranged;

use super::call::Dotted;
use super::definition::{Container, Definition, DefinitionKind};
use super::{Walk, count};
use crate::datasets::ClassBaseRow;
use crate::symbols::noted;
use crate::tree::{AstKind, Field, NodeKind, Ordinal};

impl<'a> Walk<'a> {
    /// A `class` statement.
    pub(super) fn class(&mut self, def: &'a StmtClassDef, field: Field) {
        let name = def.name.as_str();
        let symbol = noted(&def.name.node_index);
        let qualified_name = self.qualified_name(name, symbol);
        self.rows
            .tree
            .open(NodeKind::TypeDecl, def.range)
            .ast(AstKind::ClassDef)
            .field(field)
            .name(name);
        let node = self.rows.tree.current();
        self.rows.tree.qualify(node, qualified_name.clone());
        self.hash_source(node, def.range);
        let slot = self.define(Definition {
            node,
            kind: DefinitionKind::Class,
            name,
            qualified_name: qualified_name.clone(),
            symbol,
        });
        self.decorators(slot, &def.decorator_list);
        let outer = self.scope;
        self.type_parameters(def.type_params.as_deref());
        if let Some(arguments) = &def.arguments {
            let bases = self.class_arguments(node, arguments);
            self.rows.definitions[slot].bases = (!bases.is_empty()).then(|| bases.join(", "));
        }
        self.containers
            .push(Container::new(node, qualified_name, DefinitionKind::Class));
        self.rows
            .tree
            .open(NodeKind::Method, def.range)
            .name("<body>");
        if let Some(scope) = noted(&def.node_index) {
            self.open_scope(scope);
        }
        self.body(slot, node, &def.body, def.range.end());
        self.rows.tree.close();
        self.containers.pop();
        self.scope = outer;
        self.rows.tree.close();
    }

    /// Walks bases and keywords and returns the texts of the bases.
    fn class_arguments(&mut self, class: Ordinal, arguments: &'a Arguments) -> Vec<String> {
        let mut bases = Vec::new();
        for argument in arguments.iter_source_order() {
            match argument {
                ArgOrKeyword::Arg(base) => {
                    let node = self.expression(base, Field::Bases);
                    let text = self.folded(base.range());
                    let position = count(bases.len());
                    bases.push(text.clone().into_owned());
                    let row = self.class_base(class, position, base, node, text);
                    self.rows.class_bases.push(row);
                }
                ArgOrKeyword::Keyword(keyword) => {
                    self.keyword(keyword);
                }
            }
        }
        bases
    }

    fn class_base(
        &self,
        class: Ordinal,
        position: i32,
        base: &'a Expr,
        node: Ordinal,
        text: std::borrow::Cow<'a, str>,
    ) -> ClassBaseRow<'a> {
        let dotted = Dotted::of(base, node);
        ClassBaseRow {
            class_id: self.id(class),
            position,
            node_id: self.id(node),
            text,
            root_name: dotted.root.map(|(name, _)| name.id.as_str()),
            root_binding_id: dotted
                .root
                .and_then(|(name, _)| self.binding_id(noted(&name.node_index)?)),
            path: dotted.path,
        }
    }
}
