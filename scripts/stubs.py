"""First versions of what each stream that is selected by default needs outside of the tap.

What is missing is written once and is its author's from then on: the staging model of the dbt package
and the lines of the masking example.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scripts.about import ROOT, types_of
from tap_vitally.streams import STREAMS

DEFINITIONS: Final = {
    "custom_fields",
    "custom_object_fields",
    "custom_objects",
    "note_categories",
    "project_categories",
    "project_templates",
    "survey_questions",
    "task_categories",
}
"""Streams of what the workspace defines for itself, in which nobody is written about."""
MASKING: Final = "docs/examples/masking.yml"
WORKSPACE: Final = (
    "The workspace: its name in the var vitally_sources, or the schema of its tables."
)
MODELS: Final = "dbt/models/staging"
SOURCES, DESCRIPTIONS = f"{MODELS}/src_vitally.yml", f"{MODELS}/stg_vitally.yml"
RESERVED: Final = {"from", "to", "order", "group", "user", "end", "start", "timestamp", "date"}
"""Names of columns that SQL would not take without quotes."""
LINK: Final = re.compile(r"\((\w+)\.id\)")

BY_DEFAULT: Final = tuple(stream for stream in STREAMS if stream.selected_by_default)


def stubs() -> Iterator[tuple[str, str, str]]:
    """Yield what is missing: the stream, the file, and the file's new text."""
    texts: dict[str, str] = {}

    def text(file: str) -> str:
        return texts.get(file) or (ROOT / file).read_text(encoding="utf-8")

    for stream in BY_DEFAULT:
        name = stream.name
        model = f"{MODELS}/stg_vitally__{name}.sql"
        missing = {
            model: None if (ROOT / model).exists() else _model(stream),
            SOURCES: _added(text(SOURCES), f"      - name: {name}\n", _source(stream)),
            DESCRIPTIONS: _added(
                text(DESCRIPTIONS), f"  - name: stg_vitally__{name}\n", _described(stream)
            ),
            MASKING: None
            if name in DEFINITIONS
            else _added(text(MASKING), f"    {name}:\n", _masked(stream)),
        }
        for file, new in missing.items():
            if new is not None:
                texts[file] = new
                yield name, file, new


def _added(text: str, mark: str, stub: str) -> str | None:
    """Return a text with a stub at its end; None if its first line is there already."""
    return None if mark in text else f"{text.rstrip()}\n{stub}"


def _masked(stream: type[Any]) -> str:
    """Return lines that empty all text and all that is free in form, but ids and keys."""
    names = (
        name
        for name, declared in stream.schema["properties"].items()
        if name not in stream.primary_keys
        and not re.search(r"Ids?$", name)
        and "format" not in declared
        and set(types_of(declared)) & {"string", "object", "array"}
    )
    return "".join(
        [f"    {stream.name}:\n", *(f"      {name}: __NULL__\n" for name in names)],
    )


def _source(stream: type[Any]) -> str:
    name = stream.name
    identifier = f"{{{{ var('vitally_{name}_identifier', '{name}') }}}}"
    return (
        f'      - name: {name}\n        identifier: "{identifier}"\n'
        f"        description: {_quoted(_summary(stream))}\n"
    )


def _model(stream: type[Any]) -> str:
    lines = "".join(
        f'        ("{name}", "{_type(declared)}", "{_column(stream, name)}"),\n'
        for name, declared in _properties(stream)
    )
    keys = ", ".join(f'"{key}"' for key in stream.primary_keys)
    own_key = "" if stream.primary_keys == ("id",) else f", key=[{keys}]"
    return f'{{{{\n    vitally.staged("{stream.name}", [\n{lines}    ]{own_key})\n}}}}\n'


def _described(stream: type[Any]) -> str:
    unique = json.dumps(["source_relation", *(_column(stream, key) for key in stream.primary_keys)])
    lines = [
        "",
        f"  - name: stg_vitally__{stream.name}",
        f"    description: {_quoted(_summary(stream))}",
        "    data_tests:",
        f"      - vitally.unique_combination: {{ arguments: {{ columns: {unique} }} }}",
        "    columns:",
    ]
    for name, declared in _properties(stream):
        description = declared.get("description", "")
        lines += [
            f"      - name: {_column(stream, name)}",
            f"        description: {_quoted(description)}",
        ]
        link = LINK.search(description)
        if name == "id":
            lines += ["        data_tests:", "          - not_null"]
        elif link and _type(declared) == "text" and link[1] in {one.name for one in BY_DEFAULT}:
            named = f"to: ref('stg_vitally__{link[1]}'), field: {_singular(link[1])}_id"
            links = f"{{ arguments: {{ {named} }}, config: {{ severity: warn }} }}"
            lines += ["        data_tests:", f"          - relationships: {links}"]
    lines += [
        "      - name: source_relation",
        f"        description: {_quoted(WORKSPACE)}",
    ]
    return "\n".join(lines) + "\n"


def _properties(stream: type[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, declared in stream.schema["properties"].items():
        if name != "additionalProperties":
            yield name, declared


def _type(declared: Mapping[str, Any]) -> str:
    """Return what the dbt package calls a property's type."""
    if kind := {"date-time": "timestamp", "date": "date"}.get(declared.get("format", "")):
        return kind
    (kind, *others) = types_of(declared)
    if others or kind in {"object", "array"}:
        return "json"
    return {"string": "text"}.get(kind, kind)


def _column(stream: type[Any], name: str) -> str:
    """Return a property's name in the model: ``accountId`` is ``account_id``."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return f"{_singular(stream.name)}_{snake}" if snake in {"id", *RESERVED} else snake


def _singular(stream: str) -> str:
    return re.sub(r"ies$", "y", stream).removesuffix("s")


def _summary(stream: type[Any]) -> str:
    return str(stream.__doc__).strip().partition("\n")[0]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
