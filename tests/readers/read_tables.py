"""Compares tables of a lake as independent engines read them: row counts, schemas, and a digest of all rows.

The engines share nothing but the files: DuckDB reads Parquet and types with its own code, Polars with its own,
and the program `ossature` (when given) with ours. Each is asked for rows; the digest is taken here, so a
difference is a difference of what was read. Memory is bounded: rows are streamed, and the digest does not
depend on their order.

Exit code: 0 all agree, 1 a difference or a table that an engine cannot read, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

import duckdb
import duckdb_extension_delta
import polars

TABLES = ["cpg/cpg_nodes", "cpg/cpg_edges"]
ROWS_PER_BATCH = 50_000
MEMORY_LIMIT = "2GB"

Row = tuple
Schema = dict[str, str]


class Reader(Protocol):
    """One engine, looking at one table."""

    name: str

    def schema(self) -> Schema:
        """Column names to type names of the Delta protocol."""

    def rows(self, columns: list[str]) -> Iterator[list[Row]]:
        """Batches of rows, in any order."""


# Each engine's names for the types of the Delta protocol.
DUCKDB_TYPES = {
    "BOOLEAN": "boolean",
    "TINYINT": "byte",
    "SMALLINT": "short",
    "INTEGER": "integer",
    "BIGINT": "long",
    "FLOAT": "float",
    "DOUBLE": "double",
    "VARCHAR": "string",
    "BLOB": "binary",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "TIMESTAMP": "timestamp_ntz",
}
POLARS_TYPES = {
    "Boolean": "boolean",
    "Int8": "byte",
    "Int16": "short",
    "Int32": "integer",
    "Int64": "long",
    "Float32": "float",
    "Float64": "double",
    "String": "string",
    "Binary": "binary",
    "Date": "date",
    "Datetime(time_unit='us', time_zone='UTC')": "timestamp",
    "Datetime(time_unit='us', time_zone=None)": "timestamp_ntz",
}


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    return "'" + str(text).replace("'", "''") + "'"


class DuckDb:
    """DuckDB over any relation that it can name."""

    def __init__(self, name: str, relation: str, connection: duckdb.DuckDBPyConnection):
        self.name = name
        self.relation = relation
        self.connection = connection

    def schema(self) -> Schema:
        described = self.connection.execute(f"DESCRIBE SELECT * FROM {self.relation}").fetchall()
        return {row[0]: DUCKDB_TYPES.get(row[1], row[1]) for row in described}

    def rows(self, columns: list[str]) -> Iterator[list[Row]]:
        names = ", ".join(map(quoted, columns))
        result = self.connection.execute(f"SELECT {names} FROM {self.relation}")
        while batch := result.fetchmany(ROWS_PER_BATCH):
            yield batch


class Polars:
    """Polars over a Delta table."""

    name = "polars"

    def __init__(self, table: Path):
        self.table = table

    def schema(self) -> Schema:
        found = polars.scan_delta(str(self.table)).collect_schema()
        return {name: POLARS_TYPES.get(str(kind), str(kind)) for name, kind in found.items()}

    def rows(self, columns: list[str]) -> Iterator[list[Row]]:
        selected = polars.scan_delta(str(self.table)).select(columns)
        for batch in selected.collect_batches(chunk_size=ROWS_PER_BATCH):
            yield batch.rows()


def open_duckdb(spill: Path) -> duckdb.DuckDBPyConnection:
    extensions = Path(duckdb_extension_delta.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    connection = duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spill)})
    connection.execute(f"LOAD {literal(extensions / 'delta.duckdb_extension')}")
    # Rows come in any order anyway, and keeping it costs memory.
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def query_ossature(program: Path, lake: Path, table: str, output: Path) -> None:
    sql = f"SELECT * FROM {table.replace('/', '.')}"
    arguments = ["query", sql, "--lake", lake, "--format", "parquet", "--output", output]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr.strip()}")


def canonical(value: object) -> object:
    """Values of which the engines use different Python objects for the same thing."""
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            value = value.astimezone(timezone.utc).replace(tzinfo=None)
        return value.isoformat(timespec="microseconds")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return value


@dataclass(frozen=True)
class Digest:
    """How many rows, and the sum of their hashes: equal for equal multisets of rows."""

    rows: int
    total: int

    def __str__(self) -> str:
        return f"{self.rows:,} rows, digest {self.total:032x}"


def digest(reader: Reader, columns: list[str], schema: Schema) -> Digest:
    """The text of a row is the `repr` of its values, columns by name. NaN has one text."""
    needs_care = any(schema[name].startswith(("timestamp", "binary")) for name in columns)
    rows, total = 0, 0
    for batch in reader.rows(columns):
        rows += len(batch)
        for row in batch:
            if needs_care:
                row = tuple(map(canonical, row))
            text = repr(row).encode("utf-8", "surrogatepass")
            total += int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")
    return Digest(rows, total % (1 << 128))


def differing_columns(left: Reader, right: Reader, columns: list[str], schema: Schema) -> list[str]:
    """The columns that differ on their own; empty when only the pairing of values does."""
    return [
        column
        for column in columns
        if digest(left, [column], schema) != digest(right, [column], schema)
    ]


def compare(readers: list[Reader]) -> list[str]:
    """Everything in which a reader differs from the first. Empty when all agree."""
    reference, *others = readers
    schema = reference.schema()
    unknown = {name: kind for name, kind in schema.items() if kind not in POLARS_TYPES.values()}
    if unknown:
        return [f"{reference.name} reads types that this comparison does not know: {unknown}"]
    columns = sorted(schema)
    wanted = digest(reference, columns, schema)
    print(f"  {reference.name:<10} {wanted}, {len(columns)} columns")
    differences = []
    for reader in others:
        found_schema = reader.schema()
        if found_schema != schema:
            only = sorted(set(schema.items()) ^ set(found_schema.items()))
            differences.append(f"{reader.name}: schema differs from {reference.name}: {only}")
            continue
        found = digest(reader, columns, schema)
        print(f"  {reader.name:<10} {found}, {len(columns)} columns")
        if found.rows != wanted.rows:
            differences.append(f"{reader.name}: {found.rows} rows, {reference.name} has {wanted.rows}")
        elif found != wanted:
            named = differing_columns(reference, reader, columns, schema)
            where = ", ".join(named) if named else "values are paired differently"
            differences.append(f"{reader.name}: rows differ from {reference.name}: {where}")
    return differences


def compare_table(lake: Path, table: str, ossature: Path | None, work: Path) -> list[str]:
    """One table; an engine that cannot read it is a difference."""
    folder = lake / table
    if not (folder / "_delta_log").is_dir():
        return [f"{folder} is not a Delta table"]
    connection = open_duckdb(work)
    try:
        readers: list[Reader] = [
            DuckDb("duckdb", f"delta_scan({literal(folder)})", connection),
            Polars(folder),
        ]
        if ossature is not None:
            output = work / "ossature.parquet"
            output.unlink(missing_ok=True)
            query_ossature(ossature, lake, table, output)
            readers.append(DuckDb("ossature", f"read_parquet({literal(output)})", connection))
        return compare(readers)
    except Exception as error:  # whatever an engine raises, the table was not read
        message = str(error).splitlines() or [""]
        return [f"{type(error).__name__}: {message[0]}"]
    finally:
        connection.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lake", type=Path, help="the folder that holds cpg/cpg_nodes and cpg/cpg_edges")
    parser.add_argument("--ossature", type=Path, metavar="BIN", help="also compare what this program queries")
    parser.add_argument("--table", action="append", metavar="STAGE/TABLE", help=f"instead of {TABLES}")
    arguments = parser.parse_args()
    lake = arguments.lake.resolve()
    ossature = arguments.ossature.resolve() if arguments.ossature else None

    failed = 0
    tables = arguments.table or TABLES
    with tempfile.TemporaryDirectory() as work:
        for table in tables:
            print(table, flush=True)
            differences = compare_table(lake, table, ossature, Path(work))
            for difference in differences:
                print(f"  DIFFERENT  {difference}")
            failed += bool(differences)
    print(f"{len(tables) - failed} tables agree, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
