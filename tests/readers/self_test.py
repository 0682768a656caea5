"""Shows that the comparison can fail: one sound lake passes, and each damaged copy is noticed."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars

HERE = Path(__file__).parent
NODES, EDGES = 5_000, 12_000

# Stands in for the program: copies what Polars reads, after the edit in {edit}.
STAND_IN = """#!{python}
import sys
import polars
sql, lake, output = sys.argv[2], sys.argv[4], sys.argv[8]
table = sql.split(" FROM ")[1].replace(".", "/")
frame = polars.read_delta(lake + "/" + table)
{edit}
frame.write_parquet(output)
"""


def write_lake(lake: Path) -> None:
    nodes = polars.DataFrame(
        {
            "node_id": polars.Series(range(NODES), dtype=polars.Int64),
            "node_kind": ["CALL" if n % 3 else "METHOD" for n in range(NODES)],
            "parent_id": polars.Series([n // 2 if n else None for n in range(NODES)], dtype=polars.Int64),
            "name": [None if n % 5 == 0 else f"näme {n}" for n in range(NODES)],
            "line": polars.Series([n % 700 for n in range(NODES)], dtype=polars.Int32),
        }
    )
    edges = polars.DataFrame(
        {
            "edge_kind": ["REF" if n % 2 else "CALL" for n in range(EDGES)],
            "src_node_id": polars.Series([n % NODES for n in range(EDGES)], dtype=polars.Int64),
            "dst_node_id": polars.Series([n * 7 % NODES for n in range(EDGES)], dtype=polars.Int64),
            "confidence": [1.0 if n % 4 else 0.95 for n in range(EDGES)],
            "is_exact": [n % 4 != 0 for n in range(EDGES)],
            "family": ["local" if n % 3 else "linked" for n in range(EDGES)],
        }
    )
    (lake / "cpg").mkdir(parents=True)
    nodes.write_delta(str(lake / "cpg" / "cpg_nodes"))
    edges.write_delta(str(lake / "cpg" / "cpg_edges"), delta_write_options={"partition_by": ["family"]})
    # A second version, so that a reader that takes the first is noticed.
    edges.head(10).write_delta(str(lake / "cpg" / "cpg_edges"), mode="append")


def stand_in(work: Path, edit: str) -> Path:
    program = work / "stand_in.py"
    program.write_text(STAND_IN.format(python=sys.executable, edit=edit))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def data_file(lake: Path) -> Path:
    return min((lake / "cpg" / "cpg_nodes").glob("*.parquet"))


def lose_a_file(lake: Path) -> None:
    data_file(lake).unlink()


def cut_a_file(lake: Path) -> None:
    path = data_file(lake)
    path.write_bytes(path.read_bytes()[:-100])


def break_the_log(lake: Path) -> None:
    (lake / "cpg" / "cpg_edges" / "_delta_log" / f"{0:020}.json").write_text("{")


def lose_the_table(lake: Path) -> None:
    shutil.rmtree(lake / "cpg" / "cpg_edges")


@dataclass(frozen=True)
class Case:
    name: str
    agrees: bool
    damage: Callable[[Path], None] | None = None
    edit: str | None = None


CASES = [
    Case("a sound lake", agrees=True),
    Case("the program reads the same", agrees=True, edit="frame = frame.reverse()"),
    Case("a data file is missing", agrees=False, damage=lose_a_file),
    Case("a data file is cut short", agrees=False, damage=cut_a_file),
    Case("a commit is damaged", agrees=False, damage=break_the_log),
    Case("a table is missing", agrees=False, damage=lose_the_table),
    Case("a row is missing", agrees=False, edit="frame = frame.tail(-1)"),
    Case("a row is there twice", agrees=False, edit="frame = polars.concat([frame.head(1), frame.tail(-2), frame.head(1)])"),
    Case(
        "one value differs",
        agrees=False,
        edit="first = polars.arange(polars.len()) == 0\n"
        "column = frame.columns[1]\n"
        "frame = frame.with_columns(polars.when(first).then(polars.col(column).max() + 1 "
        "if frame[column].dtype.is_integer() else polars.lit('other')).otherwise(polars.col(column)).alias(column))",
    ),
    Case("two values are exchanged", agrees=False, edit="column = frame.columns[1]\nframe = frame.with_columns(frame[column].reverse())"),
    Case("a type is wider", agrees=False, edit="frame = frame.with_columns(polars.col(polars.Int32, polars.Boolean).cast(polars.Int64))"),
    Case("a column has another name", agrees=False, edit="frame = frame.rename({frame.columns[0]: 'other'})"),
]


def run(case: Case, sound: Path, work: Path) -> tuple[bool, str]:
    lake = work / "lake"
    shutil.copytree(sound, lake)
    if case.damage is not None:
        case.damage(lake)
    command = [sys.executable, HERE / "read_tables.py", lake]
    if case.edit is not None:
        command += ["--ossature", stand_in(work, case.edit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wanted = 0 if case.agrees else 1
    return done.returncode == wanted, done.stdout + done.stderr


def main() -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound"
        write_lake(sound)
        for case in CASES:
            with tempfile.TemporaryDirectory() as work:
                passed, output = run(case, sound, Path(work))
            print(f"{'ok    ' if passed else 'FAILED'} {case.name}")
            if not passed or "-v" in sys.argv:
                print(output)
            failed += not passed
    print(f"{len(CASES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
