"""What `--verify` tells: if the warehouse holds what Vitally holds now, by counts or by ids."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from vitally_api import SettingsError, safe_name

MOST_NAMED = 3
"""Ids that are named of those that differ; they are Vitally's own and tell nothing of a person."""

NO_COLUMNS = "its first line does not name the columns stream and count, or stream and id"
NO_FORMAT = "a line is neither JSON nor CSV"
NO_ID = "a record has neither an id nor a count"
NO_NUMBER = "a count is no number"


class CannotBeCompared(SettingsError):
    """What comes on standard input is neither counts nor ids."""

    def __init__(self, what: str) -> None:
        super().__init__([f"What --verify reads from standard input cannot be used: {what}"])


@dataclass
class Held:
    """What the warehouse holds of a stream: a number of rows, or the ids of all of them."""

    count: int = 0
    ids: set[str] | None = None

    def add(self, identity: str) -> None:
        """Take in an id."""
        self.ids = self.ids if self.ids is not None else set()
        self.ids.add(identity)
        self.count = len(self.ids)


@dataclass(frozen=True)
class Difference:
    """How the warehouse differs from Vitally; ``missing`` and ``extra`` are ids where they are known."""

    stream: str
    held: int
    present: int
    missing: frozenset[str] = field(default_factory=frozenset)
    extra: frozenset[str] = field(default_factory=frozenset)

    def lines(self) -> Iterator[str]:
        """Yield how it differs, and what mends it."""
        lacking = len(self.missing) or max(0, self.present - self.held)
        beyond = len(self.extra) or max(0, self.held - self.present)
        if lacking:
            yield (
                f"{self.stream}: {lacking:,} missing of {self.present:,}{_named(self.missing)}. To mend "
                f"it: TAP_VITALLY__SELECT_FILTER='[\"{self.stream}\"]' meltano run --full-refresh "
                "tap-vitally, and your loader"
            )
        if beyond:
            yield (
                f"{self.stream}: {beyond:,} too many{_named(self.extra)}: deleted in Vitally, or loaded "
                "twice. See docs/deletions.md"
            )


def _named(ids: Iterable[str]) -> str:
    found = sorted(ids)[: MOST_NAMED + 1]
    more = ", …" if len(found) > MOST_NAMED else ""
    return f" ({', '.join(map(safe_name, found[:MOST_NAMED]))}{more})" if found else ""


def read_held(lines: Iterable[str], keys: Mapping[str, Sequence[str]]) -> dict[str, Held]:
    """Read what the warehouse holds, by stream.

    Either CSV with the columns ``stream`` and ``count``, or ``stream`` and ``id``; or Singer messages:
    records of the streams themselves, by the ``keys`` of each, or of any stream with those columns.
    `CannotBeCompared` is raised for anything else.
    """
    text = iter(lines)
    first = next((line for line in text if line.strip()), "")
    held: dict[str, Held] = {}
    if not first:
        return held
    lines = chain([first], text)
    rows = _from_singer(lines, keys) if first.lstrip().startswith("{") else _from_csv(lines)
    for stream, column, value in rows:
        found = held.setdefault(stream, Held())
        if column == "id":
            found.add(value)
        else:
            found.count = _number(value)
    return held


def _from_csv(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    rows = csv.DictReader(lines)
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    column = next((each for each in ("count", "id") if each in names), None)
    if "stream" not in names or column is None:
        raise CannotBeCompared(NO_COLUMNS)
    for row in rows:
        yield row[names["stream"]].strip(), column, (row[names[column]] or "").strip()


def _from_singer(
    lines: Iterable[str], keys: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str, str]]:
    for line in filter(str.strip, lines):
        try:
            message = json.loads(line)
        except ValueError:
            raise CannotBeCompared(NO_FORMAT) from None
        if not isinstance(message, Mapping) or message.get("type") != "RECORD":
            continue
        record = message.get("record")
        record = record if isinstance(record, Mapping) else {}
        own = str(message.get("stream") or "").rpartition("-")[2]
        if own in keys and all(record.get(key) is not None for key in keys[own]):
            yield own, "id", key_of(record, keys[own])
            continue
        column = next((each for each in ("count", "id") if record.get(each) is not None), None)
        if not record.get("stream") or column is None:
            raise CannotBeCompared(NO_ID)
        yield str(record["stream"]), column, str(record[column])


def key_of(record: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Return the one text by which a record is known here."""
    return "/".join(str(record.get(key)) for key in keys)


def _number(text: str) -> int:
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        raise CannotBeCompared(NO_NUMBER) from None


def difference(stream: str, held: Held, present: set[str]) -> Difference | None:
    """Compare what the warehouse holds of a stream with the keys that Vitally has; None if equal."""
    if held.ids is None:
        return None if held.count == len(present) else Difference(stream, held.count, len(present))
    if held.ids == present:
        return None
    missing, extra = frozenset(present - held.ids), frozenset(held.ids - present)
    return Difference(stream, held.count, len(present), missing, extra)
