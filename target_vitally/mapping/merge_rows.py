"""Several rows of one key become one write: what the last says, on top of those before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from target_vitally.mapping.links import unite
from target_vitally.mapping.parse_row import Key, ParsedRow
from target_vitally.mapping.rows import InputRow, PendingWrite


def merge_rows(rows: Iterable[tuple[ParsedRow, InputRow]]) -> list[PendingWrite]:
    """Put the rows of each key together, in the order of the first; a row without a key is alone.

    Rows of two modes are one only where the first makes sure that there is something to update. Rows
    that go by another key may speak of the same records: what comes after them stays after them.
    """
    writes: list[PendingWrite] = []
    by_key: dict[Key, PendingWrite] = {}
    by = ""
    for parsed, row in rows:
        key = parsed.key
        if key and key.by != by:
            by_key, by = {}, key.by
        write_ = by_key.get(key) if key else None
        if write_ is None or not _can_merge(write_.parsed, parsed):
            write_ = PendingWrite(parsed, [row])
            writes.append(write_)
            if key:
                by_key[key] = write_
        else:
            write_.parsed = merged(write_.parsed, parsed)
            write_.rows.append(row)
    for write_ in writes:
        if len(write_.rows) > 1:
            write_.parsed = _without_repetition(write_.parsed)
    return writes


def _can_merge(first: ParsedRow, then: ParsedRow) -> bool:
    modes = first.mode, then.mode
    return first.mode == then.mode or modes == ("upsert", "update") or first.delete or then.delete


def merged(first: ParsedRow, then: ParsedRow) -> ParsedRow:
    """Return what two rows of one key say: a delete forgets what was before it, and is forgotten.

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


def _without_repetition(parsed: ParsedRow) -> ParsedRow:
    parts: dict[str, Any] = {
        part: {
            name: type(value)(unite(value, ())) if value and name in parsed.united else value
            for name, value in getattr(parsed, part).items()
        }
        for part in ("properties", "references", "people")
    }
    return replace(parsed, **parts)
