#!/usr/bin/env bash
# Compares the tables of a lake as DuckDB, Polars and (with --ossature BIN) our own program read them.
#
#   tests/readers/run.sh LAKE [--ossature BIN] [--table STAGE/TABLE]...
#   tests/readers/run.sh --self-test
#
# Needs Python 3.10 or newer; the engines are installed into a virtual environment in the user's cache folder.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

if [ $# -eq 0 ]; then
    sed -n '4,5s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
fi

environment="${XDG_CACHE_HOME:-$HOME/.cache}/ossature/readers"
# Made anew when the requirements change.
if ! cmp -s "$here/requirements.txt" "$environment/requirements.txt"; then
    rm -rf "$environment"
    python3 -m venv "$environment"
    "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$here/requirements.txt"
    cp "$here/requirements.txt" "$environment/requirements.txt"
fi

if [ "$1" = --self-test ]; then
    exec "$environment/bin/python" "$here/self_test.py" "${@:2}"
fi
exec "$environment/bin/python" "$here/read_tables.py" "$@"
