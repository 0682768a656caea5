"""Checks OpenLineage events, one on a line, against the schemas of the standard and of the facets of ours.

Exits with 0 when all hold, with 1 when one does not, and with 3 when the package `jsonschema` is missing.
"""

import json
import sys
from pathlib import Path

try:
    from jsonschema import Draft202012Validator, FormatChecker
    from referencing import Registry, Resource
except ImportError as error:
    print(f"SKIPPED: {error}", file=sys.stderr)
    sys.exit(3)

HERE = Path(__file__).resolve().parent
OURS = HERE.parent.parent / "docs" / "openlineage.schema.json"

FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value):
    """RFC 3339 with a zone; the package itself checks it only with an extra."""
    from datetime import datetime

    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri")
def is_uri(value):
    """A scheme, a colon and something behind it."""
    if not isinstance(value, str):
        return True
    scheme, colon, rest = value.partition(":")
    return bool(colon and rest and scheme.isascii() and scheme.isalnum()) and " " not in value


def schemas():
    for path in [*sorted(HERE.glob("spec/**/*.json")), OURS]:
        schema = json.loads(path.read_text())
        Draft202012Validator.check_schema(schema)
        yield schema["$id"], schema


def facets(event):
    """Every facet of an event, with the place that it stands in."""
    yield from event["run"].get("facets", {}).items()
    yield from event["job"].get("facets", {}).items()
    for dataset in [*event.get("inputs", []), *event.get("outputs", [])]:
        for key in ["facets", "inputFacets", "outputFacets"]:
            yield from dataset.get(key, {}).items()


def main():
    known = dict(schemas())
    registry = Registry().with_resources(
        (name, Resource.from_contents(schema)) for name, schema in known.items()
    )
    # The key under which a standard facet has to stand.
    keys = {
        name: next(iter(schema["properties"]))
        for name, schema in known.items()
        if "properties" in schema
    }
    validators = {}

    def faults(reference, value):
        if reference not in validators:
            validators[reference] = Draft202012Validator(
                {"$ref": reference}, registry=registry, format_checker=FORMATS
            )
        for fault in validators[reference].iter_errors(value):
            yield f"{fault.json_path}: {fault.message}"

    events = 0
    found = []
    for number, line in enumerate(Path(sys.argv[1]).read_text().splitlines(), 1):
        event = json.loads(line)
        events += 1
        problems = list(faults(event["schemaURL"], event))
        for key, facet in facets(event):
            url = facet["_schemaURL"]
            document = url.partition("#")[0]
            if document not in known:
                problems.append(f"{key}: no schema {document}")
                continue
            if keys.get(document, key) != key:
                problems.append(f"{key}: stands under another key than {keys[document]}")
            problems.extend(f"{key}: {fault}" for fault in faults(url, facet))
        found.extend(f"line {number}: {problem}" for problem in problems)
    print("\n".join(found) or f"{events} events hold")
    return 1 if found or not events else 0


sys.exit(main())
