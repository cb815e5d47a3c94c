"""Find selections and stream maps of streams and properties that do not exist.

The SDK accepts them silently, and a mask with a misspelt name masks nothing.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.sync.record_mapper import trait_columns_in
from vitally_api import safe_name

UNSET = re.compile(r"|\$\{?\w+\}?")
"""A value that was to come from the environment and did not."""
REMOVED = (None, "__NULL__")
SELECT = ("MELTANO_EXTRACT__SELECT", "MELTANO_EXTRACT__SELECT_FILTER")
"""Where Meltano 4.4.1 leaves the patterns asked for: the catalog it makes only has what they hit."""
UNESCAPED_DOT = re.compile(r"(?<!\\)\.")
MOST_NAMED = 10
"""Custom fields named in one line; more are counted."""


def unmatched_selections(
    catalog: Mapping[str, Any], maps: Mapping[str, Any], streams: Sequence[VitallyStream]
) -> list[str]:
    """Return a warning for each stream or property in select, catalog and maps that does not exist."""
    return [
        *_in_select(streams),
        *_in_catalog(catalog, {stream.name for stream in streams}),
        *_in_maps(maps, streams),
        *_traits(streams),
    ]


def _in_catalog(catalog: Mapping[str, Any], streams: Container[str]) -> Iterator[str]:
    for name, entry in catalog.items():
        root = entry.metadata.get(())
        if name not in streams and root and root.selected:
            yield f"The catalog selects {safe_name(name)!r}, which is no stream."
        elif name in streams and entry.metadata.root.selected is not False:
            columns = entry.schema.to_dict().get("properties", {})
            for breadcrumb, how in entry.metadata.items():
                known = breadcrumb[:1] == ("properties",) and breadcrumb[1] in columns
                if breadcrumb and how.selected is not None and not known:
                    column = safe_name(".".join([name, *breadcrumb[1::2]]))
                    does = "selects" if how.selected else "leaves out"
                    yield f"The catalog {does} {column!r}, which is no property."


def _in_select(streams: Sequence[VitallyStream]) -> Iterator[str]:
    """Yield a warning for each pattern of Meltano's ``select`` that matches nothing, also ``!`` ones."""
    for pattern in _asked_for():
        stream_pattern, *rest = UNESCAPED_DOT.split(pattern.removeprefix("!"), maxsplit=1)
        column = rest[0] if rest else "*"
        hit = [s for s in streams if fnmatchcase(s.name, stream_pattern.replace("\\.", "."))]
        # A property within a property is the business of Meltano, which knows its objects.
        top = UNESCAPED_DOT.split(column, maxsplit=1)[0].replace("\\.", ".")
        if not hit:
            yield f"select names {pattern[:60]!r}, which matches no stream."
        elif not any(fnmatchcase(name, top) for s in hit for name in s.schema["properties"]):
            yield f"select names {pattern[:60]!r}, which matches no property."


def _asked_for() -> list[str]:
    patterns: list[Any] = []
    for variable in SELECT:
        with suppress(ValueError):
            asked = json.loads(os.environ.get(variable) or "[]")
            patterns += asked if isinstance(asked, list) else []
    return list(dict.fromkeys(each for each in patterns if isinstance(each, str)))


def nothing_selected() -> str:
    """Return the error message for a run without a selected stream."""
    asked = ", ".join(pattern[:60] for pattern in _asked_for()[:MOST_NAMED])
    reported = f" Meltano was asked to select {asked}." if asked else ""
    return (
        "No stream is selected, so that nothing would be read: check select, or the catalog."
        f"{reported} tap-vitally --discover lists the streams that there are."
    )


def _in_maps(maps: Mapping[str, Any], streams: Sequence[VitallyStream]) -> Iterator[str]:
    for pattern, mapped in maps.items():
        source = mapped.get("__source__") if isinstance(mapped, Mapping) else None
        name = pattern if source is None else str(source)
        hit = [stream for stream in streams if fnmatchcase(stream.name, name)]
        if not hit and not name.startswith("__"):
            yield f"stream_maps names {safe_name(name)!r}, which is no stream."
        columns = {column for stream in hit for column in stream.schema["properties"]}
        alike = {column.lower() for column in columns}
        for column, how in mapped.items() if hit and isinstance(mapped, Mapping) else ():
            reported = f"{name}.{safe_name(column)}"
            if column in columns or column.startswith("__"):
                continue
            if how in REMOVED:
                yield f"stream_maps removes {reported}, which is no property."
            elif column.lower() in alike:
                yield (
                    f"stream_maps adds {reported} beside a property of the same name in other letters, "
                    "which stays as it is."
                )


def _traits(streams: Iterable[VitallyStream]) -> Iterator[str]:
    """Name the custom fields that the workspace has and a catalog of before lacks, each once."""
    reported: set[str] = set()
    for stream in streams:
        if not stream.schema_in_use or not stream.selected:
            continue
        found, kept = (
            set(trait_columns_in(how).values()) for how in (stream.schema, stream.schema_in_use)
        )
        if lacking := sorted(found - kept - reported):
            reported |= found
            more = f" and {len(lacking) - MOST_NAMED:,} more" if len(lacking) > MOST_NAMED else ""
            named = ", ".join(map(safe_name, lacking[:MOST_NAMED]))
            yield (
                f"'{stream.name}' has custom fields that the catalog lacks: {named}{more}. They stay "
                "in traits until there is a new catalog, made with --discover."
            )


def unset_in_maps(config: Mapping[str, Any]) -> list[str]:
    """Name the values that stream maps need and stream_map_config lacks: an empty salt would hash."""
    given = config.get("stream_map_config") or {}
    needed: dict[str, list[str]] = {}
    for stream, mapped in (config.get("stream_maps") or {}).items():
        for column, how in mapped.items() if isinstance(mapped, Mapping) else ():
            for name in sorted(_values_in(how)):
                value = given.get(name)
                if value is None or (isinstance(value, str) and UNSET.fullmatch(value.strip())):
                    needed.setdefault(name, []).append(f"{stream}.{column}")
    return [
        f"stream_map_config has no {safe_name(name)}, which stream_maps need for "
        f"{', '.join(map(safe_name, places))}: set it, or the variable that it comes from"
        for name, places in needed.items()
    ]


def _values_in(expression: Any) -> set[str]:
    try:
        tree = ast.parse(expression.strip(), mode="eval") if isinstance(expression, str) else None
    except SyntaxError:
        tree = None
    found = set()
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Subscript(ast.Name("config"), ast.Constant(name)):
                found.add(str(name))
    return found
