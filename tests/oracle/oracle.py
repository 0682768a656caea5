"""Compares the facts of a source tree with what CPython 3.11 itself says about it.

    python3 tests/oracle/oracle.py --corpus DIR (--dump PROGRAM | --facts FILE) [--only ast|symtable] [--damage KIND]

PROGRAM is the example `dump` of `ossature-python-extract`, FILE is what it printed for DIR. Two oracles run over every file that CPython parses:

* ast: every positioned node of CPython's `ast`, as (class, first byte, end byte, class of the parent, field), equals
  our nodes that have an `ast_kind`;
* symtable: every scope of CPython's `symtable`, with every name in it and every flag of every name, equals ours.

CPython's side is rewritten where the graph deliberately says it differently:

1. A decorated definition begins at its first `@`; CPython begins it at `def` or `class`.
2. A default is a child of its parameter; CPython keeps defaults in lists of the function.
3. All parameters sit in the field `args`; CPython has a field for each kind.
4. Nodes without a position (`arguments`, `comprehension`, `withitem`, `match_case`, contexts, operators) are looked
   through: what they hold belongs to the nearest node with a position.
5. What is inside an f-string is not compared: CPython 3.11 reports positions there that are not those of the source.
6. Scopes inside annotations that are never evaluated (`from __future__ import annotations`) are not compared:
   CPython drops them; we keep their lambdas and comprehensions.
7. A compound statement ends where its last statement ends; CPython's includes a `;` that follows.

A file that CPython refuses is not compared; one that only we refuse is a difference. `--damage` falsifies our side,
to show that a difference is found: `drop` loses a node, `shift` moves one, `parent` changes a field, `flag` flips a
flag of a name, `name` loses a name, `scope` loses a scope.
"""

import argparse
import ast
import collections
import io
import json
import os
import re
import subprocess
import sys
import tokenize
import warnings

import _symtable
from symtable import Symbol

FLAGS = (
    "is_parameter", "is_local", "is_global", "is_declared_global", "is_nonlocal", "is_free",
    "is_imported", "is_assigned", "is_referenced", "is_annotated", "is_namespace",
)
DIFFERENCES_SHOWN = 8
LINE_END = re.compile(rb"\r\n|\r|\n")


class Unit:
    """The rows of one file on our side."""

    def __init__(self, row):
        self.file = row
        self.nodes = {}
        self.scopes = []
        self.bindings = []


def read_facts(options):
    """Yields the lines of a dump."""
    if options.facts:
        with open(options.facts, "rb") as facts:
            yield from facts
        return
    command = [options.dump, options.corpus, "1", "files,nodes,scopes,bindings"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield from process.stdout
    if process.returncode:
        sys.exit(f"{options.dump} failed with {process.returncode}")


def read_units(lines):
    """Yields the files of a dump, one after the other, with their rows.

    A dump is a sequence of parts, each with the tables of some files, `Files` first.
    """
    units, last = {}, "Files"
    for line in lines:
        row = json.loads(line)
        table = row.pop("")
        if table == "Files":
            if last != "Files":
                yield from units.values()
                units = {}
            units[row["file_id"]] = Unit(row)
        elif table == "Nodes":
            units[file_of(row["node_id"])].nodes[row["node_id"]] = row
        elif table == "Scopes":
            units[file_of(row["scope_id"])].scopes.append(row)
        elif table == "Bindings":
            units[file_of(row["binding_id"])].bindings.append(row)
        last = table
    yield from units.values()


def file_of(site):
    """The id of the FILE node of a site."""
    return site >> 22 << 22


# CPython's syntax tree ------------------------------------------------------------------------------------------


class Positions:
    """Line and column of CPython to bytes of the decoded text."""

    def __init__(self, source):
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        plain = "utf-8" if encoding == "utf-8-sig" else encoding
        self.text = source.decode(plain).encode("utf-8", "surrogatepass")
        self.starts = [0] + [end.end() for end in LINE_END.finditer(self.text)]
        # A byte order mark is no column.
        self.starts[0] = 3 if encoding == "utf-8-sig" else 0

    def span(self, node):
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        decorators = getattr(node, "decorator_list", None)
        if decorators:
            first = self.starts[decorators[0].lineno - 1] + decorators[0].col_offset
            start = self.text.rindex(b"@", 0, first)
        if isinstance(node, ast.stmt) and self.text[end - 1 : end] == b";":
            end = self.span(last_statement(node))[1]
        return start, end


def last_statement(node):
    """The statement with which a compound statement ends."""
    for field in ("finalbody", "orelse", "handlers", "cases", "body"):
        inner = getattr(node, field, None)
        if inner:
            return last_statement(inner[-1])
    return node


def cpython_nodes(tree, positions):
    """The positioned nodes, rewritten."""
    found = collections.Counter()
    pending = [(child, field, "Module") for field, child in children(tree)]
    while pending:
        node, field, parent = pending.pop()
        kind = type(node).__name__
        if hasattr(node, "lineno"):
            start, end = positions.span(node)
            found[kind, start, end, parent, field] += 1
            if kind == "JoinedStr":
                continue
            parent = kind
        if isinstance(node, ast.arguments):
            pending.extend(parameters(node, parent))
        else:
            pending.extend((child, field, parent) for field, child in children(node))
    return found


def children(node):
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST):
                yield field, child


def parameters(arguments, parent):
    positional = arguments.posonlyargs + arguments.args
    for parameter in positional + arguments.kwonlyargs + [arguments.vararg, arguments.kwarg]:
        if parameter:
            yield parameter, "args", parent
    for default in arguments.defaults + arguments.kw_defaults:
        if default:
            yield default, "default", "arg"


def our_nodes(unit):
    """Our nodes with an `ast_kind`, each with the nearest such node above."""
    found = collections.Counter()
    real, hidden = {}, set()
    for node_id, row in unit.nodes.items():
        parent = row.get("parent_id")
        above = real.get(parent)
        kind = row.get("ast_kind")
        real[node_id] = kind or above
        if parent in hidden or (parent in unit.nodes and unit.nodes[parent].get("ast_kind") == "JoinedStr"):
            hidden.add(node_id)
        elif kind and kind != "Module":
            found[kind, row["bstart"], row["bend"], above, row.get("field")] += 1
    return found


# CPython's symbol table -----------------------------------------------------------------------------------------


def cpython_scopes(source):
    return cpython_scope(_symtable.symtable(source, "file", "exec"))


def cpython_scope(table):
    in_module = table.type == _symtable.TYPE_MODULE
    kinds = {
        _symtable.TYPE_FUNCTION: "function", _symtable.TYPE_CLASS: "class", _symtable.TYPE_MODULE: "module",
    }
    names = {child.name for child in table.children}
    symbols = []
    for name, flags in table.symbols.items():
        # `symtable.SymbolTable.lookup` takes every table called `top` for the module; this is the same without that.
        symbol = Symbol(name, flags, [None] if name in names else [], module_scope=in_module)
        symbols.append((name,) + tuple(flag for flag in FLAGS if getattr(symbol, flag)()))
    inner = sorted(cpython_scope(child) for child in table.children)
    return (table.name, kinds[table.type], bool(table.nested), sorted(symbols), inner)


def our_scopes(unit, has_lazy_annotations):
    lazy = lazy_nodes(unit) if has_lazy_annotations else set()
    names, inner = collections.defaultdict(list), collections.defaultdict(list)
    for row in unit.bindings:
        flags = tuple(flag for flag in FLAGS if row[flag])
        names[row["scope_id"]].append((row["name"],) + flags)
    for row in reversed(unit.scopes):
        if row["node_id"] in lazy:
            continue
        kind = row["scope_kind"]
        kind = "function" if kind in ("lambda", "comprehension") else kind
        scope_id = row["scope_id"]
        scope = (row["name"], kind, row["is_nested"], sorted(names[scope_id]), sorted(inner[scope_id]))
        if "parent_scope_id" not in row:
            return scope
        inner[row["parent_scope_id"]].append(scope)
    return None


def lazy_nodes(unit):
    """The nodes inside annotations."""
    found = set()
    for node_id, row in unit.nodes.items():
        if row.get("parent_id") in found or row.get("field") in ("annotation", "returns"):
            found.add(node_id)
    return found


def has_lazy_annotations(tree):
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and any(alias.name == "annotations" for alias in node.names)
        for node in tree.body
    )


# Comparison -----------------------------------------------------------------------------------------------------


def compare_nodes(theirs, ours, text):
    for sign, missing in (("-", theirs - ours), ("+", ours - theirs)):
        for (kind, start, end, parent, field), count in sorted(missing.items(), key=str):
            shown = text[start:end][:60]
            yield f"{sign} {count} x {kind} {start}..{end} in {parent}.{field}: {shown!r}"


def compare_scopes(theirs, ours, path="top"):
    if ours is None:
        yield f"- scope {path}"
        return
    if theirs[:3] != ours[:3]:
        yield f"scope {path}: CPython has {theirs[:3]}, we have {ours[:3]}"
    for symbol in theirs[3]:
        if symbol not in ours[3]:
            yield f"- {path}: {symbol}"
    for symbol in ours[3]:
        if symbol not in theirs[3]:
            yield f"+ {path}: {symbol}"
    if len(theirs[4]) != len(ours[4]):
        yield f"{path}: CPython has scopes {[s[0] for s in theirs[4]]}, we have {[s[0] for s in ours[4]]}"
    for their, our in zip(theirs[4], ours[4]):
        if their != our:
            yield from compare_scopes(their, our, f"{path}.{their[0]}")


def damage(unit, kind):
    """Falsifies one fact of a file."""
    nodes = [row for row in unit.nodes.values() if row.get("ast_kind") == "Name"]
    if kind == "drop" and nodes:
        nodes[0]["ast_kind"] = None
    elif kind == "shift" and nodes:
        nodes[-1]["bend"] += 1
    elif kind == "parent" and nodes:
        nodes[-1]["field"] = "damaged"
    elif kind == "flag" and unit.bindings:
        unit.bindings[-1]["is_referenced"] = not unit.bindings[-1]["is_referenced"]
    elif kind == "name" and unit.bindings:
        unit.bindings.pop()
    elif kind == "scope" and len(unit.scopes) > 1:
        unit.scopes.pop()


def differences(unit, corpus, only):
    """What differs in one file; `None` when CPython does not parse it."""
    raw = bytes(unit.file["path_bytes"]) if "path_bytes" in unit.file else os.fsencode(unit.file["path"])
    path = os.path.join(os.fsencode(corpus), raw)
    if not os.path.isfile(path) or os.path.islink(path):
        return None
    with open(path, "rb") as file:
        source = file.read()
    try:
        tree = ast.parse(source)
        scopes = cpython_scopes(source)
        positions = Positions(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if unit.file["status"] != "parsed":
        return [f"CPython parses it, we say {unit.file['status']}: {unit.file.get('reason')}"]
    found = []
    if only != "symtable":
        found.extend(compare_nodes(cpython_nodes(tree, positions), our_nodes(unit), positions.text))
    if only != "ast":
        ours = our_scopes(unit, has_lazy_annotations(tree))
        if scopes != ours:
            found.extend(compare_scopes(scopes, ours) if ours else ["no scopes"])
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True)
    facts = parser.add_mutually_exclusive_group(required=True)
    facts.add_argument("--dump")
    facts.add_argument("--facts")
    parser.add_argument("--only", choices=["ast", "symtable"])
    parser.add_argument("--damage", choices=["drop", "shift", "parent", "flag", "name", "scope"])
    options = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        sys.exit(f"the oracle is CPython 3.11, this is {sys.version.split()[0]}")
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(20_000)
    passed = failed = refused = 0
    for unit in read_units(read_facts(options)):
        if options.damage:
            damage(unit, options.damage)
        found = differences(unit, options.corpus, options.only)
        if found is None:
            refused += 1
        elif found:
            failed += 1
            print(f"{unit.file['path']}: {len(found)} differences")
            for line in found[:DIFFERENCES_SHOWN]:
                print(f"    {line}")
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed, {refused} not parsed by CPython")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
