"""Several rows of one key become one: what the last of them says, on top of those before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from target_vitally.planning.fit import Fitted, Key
from target_vitally.planning.links import unite

Row = TypeVar("Row")


@dataclass
class Group(Generic[Row]):
    """The rows of one key, in their order, and what they say together."""

    fitted: Fitted
    rows: list[Row] = field(default_factory=list)

    @property
    def key(self) -> Key | None:
        """What the record is found by."""
        return self.fitted.key


def folded(rows: Iterable[tuple[Fitted, Row]]) -> list[Group[Row]]:
    """Put the rows of each key together, in the order of the first; a row without a key is alone.

    Rows of two modes are one only where the first makes sure that there is something to update. Rows
    that go by another key may speak of the same records: what comes after them stays after them.
    """
    groups: list[Group[Row]] = []
    by_key: dict[Key, Group[Row]] = {}
    by = ""
    for fitted, row in rows:
        if fitted.key and fitted.key.by != by:
            by_key, by = {}, fitted.key.by
        group = by_key.get(fitted.key) if fitted.key else None
        if group is None or not _alike(group.fitted, fitted):
            group = Group(fitted, [row])
            groups.append(group)
            if fitted.key:
                by_key[fitted.key] = group
        else:
            group.fitted = over(group.fitted, fitted)
            group.rows.append(row)
    for group in groups:
        if len(group.rows) > 1:
            group.fitted = _once(group.fitted)
    return groups


def _alike(first: Fitted, then: Fitted) -> bool:
    modes = first.mode, then.mode
    return first.mode == then.mode or modes == ("upsert", "update") or first.delete or then.delete


def over(first: Fitted, then: Fitted) -> Fitted:
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


def _together(first: Fitted, then: Fitted, part: str) -> dict[str, Any]:
    """Put what one row says over what another does, but keep both where each may say a part."""
    before, after = getattr(first, part), getattr(then, part)
    both = {
        name: before[name] + after[name]
        for name in then.united & before.keys() & after.keys()
        if before[name] and after[name]
    }
    return {**before, **after, **both}


def _once(fitted: Fitted) -> Fitted:
    """Name once what several rows say together."""
    parts: dict[str, Any] = {
        part: {
            name: type(value)(unite(value, ())) if value and name in fitted.united else value
            for name, value in getattr(fitted, part).items()
        }
        for part in ("properties", "references", "people")
    }
    return replace(fitted, **parts)
