"""Draws the tables and how they are linked, from the schemas and what their descriptions name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tap_vitally.streams import STREAMS

LINK = re.compile(r"\b(\w+)\.id\b|\(id in (\w+(?: or \w+)*)\)")
NESTED = re.compile(r"(account|organization)_(?!health_scores)\w+")
"""The lists below accounts and organizations link as the tables that they repeat."""


def diagram() -> str:
    """Return a Mermaid diagram of the streams and their links."""
    lines = [f"    {line}" for line in sorted(set(_links()))]
    return "\n".join(["```mermaid", "erDiagram", *lines, "```"])


def _links() -> Iterator[str]:
    """Yield a line for each link: a column that names one record or, as an array, many."""
    for stream in STREAMS:
        if NESTED.fullmatch(stream.name):
            continue
        schema: dict[str, Any] = stream.schema
        for name, declared in schema["properties"].items():
            end = "o{" if "array" in declared["type"] else "o|"
            for table in _tables(stream.name, declared.get("description", "")):
                yield f"{stream.name} }}o--{end} {table} : {name}"


def _tables(stream: str, description: str) -> Iterator[str]:
    """Yield the tables that a description says to join; of several kinds of category, the own."""
    for table, choices in LINK.findall(description):
        if table:
            yield table
            continue
        named = choices.split(" or ")
        own = [choice for choice in named if choice.startswith(stream.removesuffix("s"))]
        yield from own or named
