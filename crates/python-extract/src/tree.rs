//! The tree of one file: nodes in preorder, each with its parent, its place among its siblings and its subtree.

mod kind;
mod label;
pub(crate) mod operator;

pub(crate) use kind::{AstKind, Field, NodeKind};
pub(crate) use label::labels;

use std::borrow::Cow;

use ossature_schema_spec::ORDINAL_MAX;
use ruff_text_size::{TextRange, TextSize};

/// The place of a node in its tree, 0 for the root.
pub(crate) type Ordinal = u32;

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct Node<'a> {
    pub kind: NodeKind,
    /// The class in CPython's `ast`; `None` for nodes that only the graph has.
    pub ast: Option<AstKind>,
    pub field: Option<Field>,
    pub parent: Option<Ordinal>,
    /// 0 for the first child of its parent.
    pub position: u32,
    /// The largest ordinal in the subtree.
    pub last: Ordinal,
    pub range: TextRange,
    pub name: Option<&'a str>,
}

/// What is open on the way from the root to the node under construction.
#[derive(Debug)]
struct Open {
    ordinal: Ordinal,
    children: u32,
}

/// Builds a tree: [`open`](Self::open) and [`close`](Self::close) in preorder.
#[derive(Debug, Default)]
pub(crate) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    path: Vec<Open>,
    qualified_names: Vec<(Ordinal, Cow<'a, str>)>,
    code_hashes: Vec<(Ordinal, i64)>,
    overflow: bool,
}

impl<'a> Tree<'a> {
    /// An empty tree with room for the nodes of a text of that many bytes; source code has about one for every six.
    pub(crate) fn for_text(bytes: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(bytes / 6),
            ..Self::default()
        }
    }

    /// Adds a node below the one that is open, and opens it.
    pub(crate) fn open(&mut self, kind: NodeKind, range: TextRange) -> &mut Node<'a> {
        let at = self.nodes.len().min(ORDINAL_MAX as usize);
        if self.nodes.len() > at {
            // The site ids of the file are used up: the tree is lost, but the walk goes on to its end.
            self.overflow = true;
            self.nodes.truncate(at);
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "at most ORDINAL_MAX, which has 22 bits"
        )]
        let ordinal = at as Ordinal;
        let (parent, position) = match self.path.last_mut() {
            Some(open) => {
                open.children += 1;
                (Some(open.ordinal), open.children - 1)
            }
            None => (None, 0),
        };
        self.path.push(Open {
            ordinal,
            children: 0,
        });
        let node = Node {
            kind,
            ast: None,
            field: None,
            parent,
            position,
            last: ordinal,
            range,
            name: None,
        };
        self.nodes.push(node);
        &mut self.nodes[at]
    }

    /// The ordinal of the node that is open.
    pub(crate) fn current(&self) -> Ordinal {
        self.path.last().map_or(0, |open| open.ordinal)
    }

    /// The range of the node that is open.
    pub(crate) fn current_range(&self) -> TextRange {
        self.nodes
            .get(self.current() as usize)
            .map_or(TextRange::default(), |node| node.range)
    }

    /// Closes the node that is open and returns its ordinal.
    pub(crate) fn close(&mut self) -> Ordinal {
        let Some(open) = self.path.pop() else {
            return 0;
        };
        let last = self.nodes.len().saturating_sub(1);
        if let Some(node) = self.nodes.get_mut(open.ordinal as usize) {
            #[expect(clippy::cast_possible_truncation, reason = "at most ORDINAL_MAX")]
            {
                node.last = last as Ordinal;
            }
        }
        open.ordinal
    }

    /// Gives a node its qualified name. Nodes are named in the order in which they were opened.
    pub(crate) fn qualify(&mut self, ordinal: Ordinal, name: impl Into<Cow<'a, str>>) {
        self.qualified_names.push((ordinal, name.into()));
    }

    /// Gives a node the hash of its source. Nodes are hashed in the order in which they were opened.
    pub(crate) fn hash(&mut self, ordinal: Ordinal, hash: i64) {
        self.code_hashes.push((ordinal, hash));
    }

    /// Whether the file has more nodes than ids.
    pub(crate) fn overflowed(&self) -> bool {
        self.overflow
    }

    /// The nodes so far, in preorder.
    pub(crate) fn nodes(&self) -> &[Node<'a>] {
        &self.nodes
    }

    /// The nodes with their qualified names and code hashes.
    pub(crate) fn rows(
        &self,
    ) -> impl Iterator<Item = (Ordinal, &Node<'a>, Option<&str>, Option<i64>)> {
        let mut names = self.qualified_names.iter().peekable();
        let mut hashes = self.code_hashes.iter().peekable();
        (0..).zip(&self.nodes).map(move |(ordinal, node)| {
            let name = names
                .next_if(|(of, _)| *of == ordinal)
                .map(|(_, name)| name.as_ref());
            let hash = hashes
                .next_if(|(of, _)| *of == ordinal)
                .map(|(_, hash)| *hash);
            (ordinal, node, name, hash)
        })
    }
}

impl<'a> Node<'a> {
    /// The same node with its class in CPython's `ast`.
    pub(crate) fn ast(&mut self, kind: AstKind) -> &mut Self {
        self.ast = Some(kind);
        self
    }

    /// The same node in a field of its parent.
    pub(crate) fn field(&mut self, field: Field) -> &mut Self {
        self.field = Some(field);
        self
    }

    /// The same node with a name.
    pub(crate) fn name(&mut self, name: &'a str) -> &mut Self {
        self.name = Some(name);
        self
    }
}

/// The empty range at an offset.
pub(crate) fn empty_at(offset: TextSize) -> TextRange {
    TextRange::empty(offset)
}
