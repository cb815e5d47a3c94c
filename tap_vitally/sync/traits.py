"""Traits as columns of their own, filled by what the schema in force says of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIX = "trait_"
"""How the name of every column begins that holds one trait."""


def trait_columns_in(schema: Mapping[str, Any]) -> dict[str, str]:
    """Find the columns that hold one trait each, with the path of it, which is their title.

    The name does not say the path: two fields may be spelled alike in snake_case.
    """
    return {
        name: how["title"]
        for name, how in (schema.get("properties") or {}).items()
        if name.startswith(PREFIX) and how.get("title")
    }


def fill_traits(record: dict[str, Any], columns: Mapping[str, str]) -> None:
    """Put each trait in its column, and null where the record does not have it."""
    traits = record.get("traits")
    held = traits if isinstance(traits, dict) else {}
    for name, path in columns.items():
        record[name] = held.get(path)
