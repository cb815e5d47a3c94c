"""What the custom fields of a workspace become: one typed column each, beside `traits`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tap_vitally.streams import fields as f
from tap_vitally.sync.record_mapper import TRAIT_PREFIX as PREFIX
from vitally_api.values import FieldKind, field_kind

LONGEST = 62
"""PostgreSQL keeps 63 characters of a name, and pipelinewise's loaders make another of one that has 63."""
MARK = 8
"""Digits of a suffix."""

FIELDS: Mapping[FieldKind, Callable[[str, str], f.Field]] = {
    "": f.free_form,
    "text": f.text,
    "choice": f.text,
    "number": f.number,
    "boolean": f.flag,
    "moment": f.moment,
    "day": f.day,
    "choices": f.texts,
}


def columns_of(fields: Iterable[Any]) -> dict[str, Any]:
    """Return the columns for the custom fields of one model, given as the API sent them."""
    by_path = {
        field["path"]: field
        for field in fields
        if isinstance(field, dict) and isinstance(field.get("path"), str) and field["path"].strip()
    }
    names = names_of(by_path)
    columns = (_column(names[path], path, by_path[path]) for path in sorted(by_path))
    return {column.name: column.schema for column in columns}


def names_of(paths: Iterable[str]) -> dict[str, str]:
    """Return the column's name for each path: snake_case, without the prefix of a workspace's own fields.

    Paths that would get the same name all get a suffix that depends on nothing but the path, so
    that no column ever changes its meaning.
    """
    names = {path: PREFIX + snake_case(path) for path in paths}
    while True:
        uses = Counter(names.values())
        marked = {
            path: _marked(path)
            for path, name in names.items()
            if (uses[name] > 1 or name == PREFIX or len(name) > LONGEST) and name != _marked(path)
        }
        if not marked:
            return names
        names |= marked


def snake_case(path: str) -> str:
    """Convert a path to a column's name: ``vitally.custom.nextStep`` to ``next_step``."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", path).lower()
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_").removeprefix("vitally_custom_")


def _marked(path: str) -> str:
    watermark = sha256(path.encode(errors="surrogatepass")).hexdigest()[:MARK]
    return f"{(PREFIX + snake_case(path))[: LONGEST - MARK - 1].rstrip('_')}_{watermark}"


def _column(name: str, path: str, field: Mapping[str, Any]) -> f.Field:
    label = str(field.get("label") or "").strip()
    reported = f"{label} ({path})." if label else f"{path}."
    column = FIELDS[field_kind(field.get("type"))](name, reported)
    return replace(column, schema={**column.schema, "title": path})
