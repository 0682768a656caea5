//! One file from bytes to columns.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ossature_schema_spec::{ORDINAL_BITS, SiteId};
use ruff_source_file::LineIndex;
use ruff_text_size::{TextLen, TextRange, TextSize};

use crate::datasets::{Columns, DiagnosticRow, FileRow, NodeRow};
use crate::diagnostic::Diagnostic;
use crate::encoding::{Decoded, decode};
use crate::listing::{SourceFile, exact_bytes};
use crate::source::{Source, read};
use crate::syntax::parse;
use crate::tree::{AstKind, Field, NodeKind, Tree};
use crate::walk::{FileFacts, Rows, walk};
use crate::{ExtractOptions, Reason, symbols};

/// Reads a file and appends all its rows. Whatever is wrong with the file, it has a row in `files`.
pub(crate) fn extract_file(file: &SourceFile, options: &ExtractOptions, columns: &mut Columns) {
    let source = match file.skip {
        Some(reason) => Err(reason),
        None => read(file.location(), options.file_bytes_max),
    };
    let source = match source {
        Ok(source) => source,
        Err(reason) => return skip(file, None, None, reason, columns),
    };
    match decode(&source.bytes) {
        Ok(decoded) => {
            if let Err(reason) = parsed_file(file, &source, &decoded, options, columns) {
                skip(file, Some(&source), Some(&decoded), reason, columns);
            }
        }
        Err(reason) => skip(file, Some(&source), None, reason, columns),
    }
}

/// The id of the FILE node.
fn file_id(file: &SourceFile) -> i64 {
    SiteId::new(file.key, 0).map_or(0, SiteId::value)
}

/// Parses, walks and appends. Nothing is appended unless all went well.
///
/// **Errors**: the reason why the file has no tree; [`Reason::Internal`] when a panic was caught.
fn parsed_file(
    file: &SourceFile,
    source: &Source,
    decoded: &Decoded<'_>,
    options: &ExtractOptions,
    columns: &mut Columns,
) -> Result<(), Reason> {
    let text = decoded.text.as_ref();
    let caught = catch_unwind(AssertUnwindSafe(|| parse(text, options.python_version)));
    let parsed = caught.unwrap_or(Err(Reason::Internal))?;
    let diagnostics = Diagnostic::of(&parsed, text.text_len());
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let mut table = symbols::collect(parsed.syntax());
        symbols::resolve(&mut table).map(|()| table)
    }));
    let table = caught.unwrap_or(Err(Reason::Internal))?;
    let facts = FileFacts {
        file_id: file_id(file),
        module_name: &file.module_name,
        is_package: file.is_package,
        text,
    };
    let caught = catch_unwind(AssertUnwindSafe(|| {
        walk(facts, parsed.syntax(), &table, &diagnostics)
    }));
    let rows = caught.unwrap_or(Err(Reason::Internal))?;
    let has_errors = diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == "error");
    let lines = Lines::of(text);
    let row = FileRow {
        sha256: Some(source.sha256.clone()),
        size_bytes: length(source.bytes.len()),
        encoding: Some(decoded.encoding.as_str().into()),
        line_count: Some(lines.count(text)),
        status: if has_errors { "partial" } else { "parsed" },
        reason: has_errors.then_some(Reason::SyntaxError.as_str()),
        node_count: number(rows.tree.nodes().len()),
        definition_count: number(rows.definitions.len()),
        call_count: number(rows.calls.len()),
        interface_hash: Some(rows.interface_hash()),
        ..empty_row(file)
    };
    columns.files.push(row);
    append_diagnostics(facts.file_id, &diagnostics, &lines, columns);
    append(facts.file_id, rows, lines, columns);
    Ok(())
}

/// The rows of a file that has no tree: itself and the reason.
fn skip(
    file: &SourceFile,
    source: Option<&Source>,
    decoded: Option<&Decoded<'_>>,
    reason: Reason,
    columns: &mut Columns,
) {
    let diagnostics = [Diagnostic::skipped(reason)];
    let mut tree = Tree::default();
    tree.open(NodeKind::File, TextRange::default());
    tree.open(NodeKind::Diagnostic, TextRange::default())
        .name(reason.as_str());
    tree.close();
    tree.close();
    let row = FileRow {
        sha256: source.map(|source| source.sha256.clone()),
        size_bytes: source.map_or(
            i64::try_from(file.size_bytes).unwrap_or(i64::MAX),
            |source| length(source.bytes.len()),
        ),
        encoding: decoded.map(|decoded| decoded.encoding.as_str().into()),
        line_count: decoded.map(|decoded| Lines::of(&decoded.text).count(&decoded.text)),
        status: "skipped",
        reason: Some(reason.as_str()),
        node_count: number(tree.nodes().len()),
        ..empty_row(file)
    };
    columns.files.push(row);
    let lines = Lines::of("");
    append_diagnostics(file_id(file), &diagnostics, &lines, columns);
    append(
        file_id(file),
        Rows {
            tree,
            ..Rows::default()
        },
        lines,
        columns,
    );
}

/// What the listing knows of a file.
fn empty_row(file: &SourceFile) -> FileRow<'_> {
    FileRow {
        file_id: file_id(file),
        path: &file.path,
        path_bytes: exact_bytes(file),
        sha256: None,
        size_bytes: 0,
        encoding: None,
        line_count: None,
        module_name: Some(&file.module_name),
        is_package: file.is_package,
        status: "skipped",
        reason: None,
        salt: i32::try_from(file.salt).unwrap_or(i32::MAX),
        node_count: 0,
        definition_count: 0,
        call_count: 0,
        interface_hash: None,
    }
}

/// Diagnostics are the first children of the FILE, in order.
fn append_diagnostics(
    file_id: i64,
    diagnostics: &[Diagnostic],
    lines: &Lines,
    columns: &mut Columns,
) {
    let mut lines = lines.clone();
    for (ordinal, diagnostic) in (1..).zip(diagnostics) {
        columns.diagnostics.push(DiagnosticRow {
            node_id: file_id | ordinal,
            severity: diagnostic.severity,
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            bstart: offset(diagnostic.range.start()),
            bend: offset(diagnostic.range.end()),
            line: lines.line(diagnostic.range.start()),
        });
    }
}

fn append(file_id: i64, rows: Rows<'_>, mut lines: Lines, columns: &mut Columns) {
    for (ordinal, node, qualified_name, code_hash) in rows.tree.rows() {
        columns.nodes.push(NodeRow {
            node_id: file_id | i64::from(ordinal),
            node_kind: node.kind.as_str(),
            ast_kind: node.ast.map(AstKind::as_str),
            parent_id: node.parent.map(|parent| file_id | i64::from(parent)),
            field: node.field.map(Field::as_str),
            position: i32::try_from(node.position).unwrap_or(i32::MAX),
            subtree_end: file_id | i64::from(node.last),
            bstart: offset(node.range.start()),
            bend: offset(node.range.end()),
            line: lines.line(node.range.start()),
            name: node.name,
            qualified_name,
            code_hash,
        });
    }
    rows.scopes
        .into_iter()
        .for_each(|row| columns.scopes.push(row));
    rows.bindings
        .into_iter()
        .for_each(|row| columns.bindings.push(row));
    rows.references
        .into_iter()
        .for_each(|row| columns.references.push(row));
    rows.definitions
        .into_iter()
        .for_each(|row| columns.definitions.push(row));
    rows.class_bases
        .into_iter()
        .for_each(|row| columns.class_bases.push(row));
    rows.parameters
        .into_iter()
        .for_each(|row| columns.parameters.push(row));
    rows.imports
        .into_iter()
        .for_each(|row| columns.imports.push(row));
    rows.calls
        .into_iter()
        .for_each(|row| columns.calls.push(row));
    rows.arguments
        .into_iter()
        .for_each(|row| columns.arguments.push(row));
    rows.docstrings
        .into_iter()
        .for_each(|row| columns.docstrings.push(row));
    rows.exports
        .into_iter()
        .for_each(|row| columns.exports.push(row));
}

/// The lines of a text, asked for in nearly ascending order.
#[derive(Debug, Clone)]
struct Lines {
    index: LineIndex,
    /// The line that was asked for last, from 0.
    last: usize,
}

impl Lines {
    fn of(text: &str) -> Self {
        Self {
            index: LineIndex::from_source_text(text),
            last: 0,
        }
    }

    /// Lines of the text; a line feed at the very end begins no further one.
    fn count(&self, text: &str) -> i32 {
        let starts = self.index.line_starts();
        let empty = starts
            .last()
            .is_some_and(|last| last.to_usize() == text.len());
        number(starts.len() - usize::from(empty))
    }

    /// The line of an offset, from 1.
    fn line(&mut self, offset: TextSize) -> i32 {
        let starts = self.index.line_starts();
        let begins_here = starts.get(self.last).is_some_and(|start| *start <= offset);
        let ahead = self.last + 8;
        if begins_here && starts.get(ahead).is_none_or(|start| *start > offset) {
            let near = starts
                .get(self.last..starts.len().min(ahead))
                .unwrap_or_default();
            self.last += near.iter().take_while(|start| **start <= offset).count() - 1;
        } else {
            self.last = starts
                .partition_point(|start| *start <= offset)
                .saturating_sub(1);
        }
        number(self.last + 1)
    }
}

/// An offset as a column holds it; sources are far shorter than 2 GiB.
fn offset(offset: TextSize) -> i32 {
    i32::try_from(offset.to_u32()).unwrap_or(i32::MAX)
}

fn number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

const _: () = assert!(
    ORDINAL_BITS < 31,
    "ordinals fit the columns that count nodes"
);
