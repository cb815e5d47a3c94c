"""Several rows of one key become one: what the last of them says, on top of those before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from target_vitally.mapping.links import unite
from target_vitally.mapping.parse_row import Key, ParsedRow

Row = TypeVar("Row")


@dataclass
class RowGroup(Generic[Row]):
    """The rows of one key, in their order, and what they say together."""

    parsed: ParsedRow
    rows: list[Row] = field(default_factory=list)

    @property
    def key(self) -> Key | None:
        """What the record is found by."""
        return self.parsed.key


def merge_rows(rows: Iterable[tuple[ParsedRow, Row]]) -> list[RowGroup[Row]]:
    """Put the rows of each key together, in the order of the first; a row without a key is alone.

    Rows of two modes are one only where the first makes sure that there is something to update. Rows
    that go by another key may speak of the same records: what comes after them stays after them.
    """
    groups: list[RowGroup[Row]] = []
    by_key: dict[Key, RowGroup[Row]] = {}
    by = ""
    for parsed, row in rows:
        if parsed.key and parsed.key.by != by:
            by_key, by = {}, parsed.key.by
        group = by_key.get(parsed.key) if parsed.key else None
        if group is None or not _alike(group.parsed, parsed):
            group = RowGroup(parsed, [row])
            groups.append(group)
            if parsed.key:
                by_key[parsed.key] = group
        else:
            group.parsed = merged(group.parsed, parsed)
            group.rows.append(row)
    for group in groups:
        if len(group.rows) > 1:
            group.parsed = _once(group.parsed)
    return groups


def _alike(first: ParsedRow, then: ParsedRow) -> bool:
    modes = first.mode, then.mode
    return first.mode == then.mode or modes == ("upsert", "update") or first.delete or then.delete


def merged(first: ParsedRow, then: ParsedRow) -> ParsedRow:
    """Say what is left of two rows of one key: a delete forgets what was before it, and is forgotten.

    A row that only updates has nothing to update after a delete.
    """
    if first.delete and then.mode == "update" and not then.delete:
        return first
    if first.delete or then.delete or then.archived:
        return then
    return replace(
        then,
        mode=first.mode,
        properties=_together(first, then, "properties"),
        traits={**first.traits, **then.traits},
        references=_together(first, then, "references"),
        people=_together(first, then, "people"),
        protected=first.protected | then.protected,
    )


def _together(first: ParsedRow, then: ParsedRow, part: str) -> dict[str, Any]:
    """Put what one row says over what another does, but keep both where each may say a part."""
    before, after = getattr(first, part), getattr(then, part)
    both = {
        name: before[name] + after[name]
        for name in then.united & before.keys() & after.keys()
        if before[name] and after[name]
    }
    return {**before, **after, **both}


def _once(parsed: ParsedRow) -> ParsedRow:
    """Name once what several rows say together."""
    parts: dict[str, Any] = {
        part: {
            name: type(value)(unite(value, ())) if value and name in parsed.united else value
            for name, value in getattr(parsed, part).items()
        }
        for part in ("properties", "references", "people")
    }
    return replace(parsed, **parts)
