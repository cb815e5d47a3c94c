"""Compare the warehouse with Vitally for `--verify`, by counts or by ids."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from vitally_api import SettingsError, safe_name

MOST_NAMED = 3
"""Ids that are named of those that differ; they are Vitally's own and tell nothing of a person."""

Held = int | set[str]
"""What the warehouse holds of a stream: a number of rows, or the ids of all of them."""


def _unusable(why: str) -> SettingsError:
    return SettingsError([f"What --verify reads from standard input cannot be used: {why}"])


def read_held(lines: Iterable[str], keys: Mapping[str, Sequence[str]]) -> dict[str, Held]:
    """Read the counts or ids in the warehouse, by stream.

    ``lines`` are CSV with the columns ``stream`` and ``count``, or ``stream`` and ``id``; or Singer messages:
    records of the tap's streams, which have ``keys``, or of any stream with these columns. Raise
    `SettingsError` for anything else.
    """
    text = iter(lines)
    first = next((line for line in text if line.strip()), "")
    lines = chain([first], text)
    rows = _from_singer(lines, keys) if first.lstrip().startswith("{") else _from_csv(lines)
    held: dict[str, Held] = {}
    for stream, column, value in rows if first else ():
        found = held.get(stream)
        if column == "count":
            held[stream] = _number(value)
        elif isinstance(found, set):
            found.add(value)
        else:
            held[stream] = {value}
    return held


def _from_csv(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    rows = csv.DictReader(lines)
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    column = next((each for each in ("count", "id") if each in names), None)
    if "stream" not in names or column is None:
        raise _unusable(
            "its first line does not name the columns stream and count, or stream and id"
        )
    for row in rows:
        yield row[names["stream"]].strip(), column, (row[names[column]] or "").strip()


def _from_singer(
    lines: Iterable[str], keys: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, str]]:
    for line in filter(str.strip, lines):
        try:
            message = json.loads(line)
        except ValueError:
            raise _unusable("a line is neither JSON nor CSV") from None
        if not isinstance(message, dict) or message.get("type") != "RECORD":
            continue
        record = message.get("record")
        record = record if isinstance(record, dict) else {}
        own = str(message.get("stream") or "").rpartition("-")[2]
        if own in keys and all(record.get(key) is not None for key in keys[own]):
            yield own, "id", key_of(record, keys[own])
            continue
        column = next((each for each in ("count", "id") if record.get(each) is not None), None)
        if not record.get("stream") or column is None:
            raise _unusable("a record has neither an id nor a count")
        yield str(record["stream"]), column, str(record[column])


def key_of(record: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Return the key of a record as text."""
    return "/".join(str(record.get(key)) for key in keys)


def _number(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise _unusable("a count is no number") from None


def differences(stream: str, held: Held, present: set[str]) -> list[str]:
    """Return lines on how the warehouse differs from the keys in Vitally, and how to repair it."""
    if isinstance(held, set):
        missing, extra = present - held, held - present
        lacking, beyond = len(missing), len(extra)
    else:
        missing = extra = set()
        lacking, beyond = max(0, len(present) - held), max(0, held - len(present))
    lines = []
    if lacking:
        lines.append(
            f"{stream}: {lacking:,} missing of {len(present):,}{_named(missing)}. To mend "
            f"it: TAP_VITALLY__SELECT_FILTER='[\"{stream}\"]' meltano run --full-refresh "
            "tap-vitally, and your loader"
        )
    if beyond:
        lines.append(
            f"{stream}: {beyond:,} too many{_named(extra)}: deleted in Vitally, or loaded "
            "twice. See docs/deletions.md"
        )
    return lines


def _named(ids: Collection[str]) -> str:
    named = ", ".join(map(safe_name, sorted(ids)[:MOST_NAMED]))
    return f" ({named}{', …' if len(ids) > MOST_NAMED else ''})" if ids else ""
