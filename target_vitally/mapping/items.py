"""Compare and merge lists of items, such as people and fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from target_vitally.mapping.resource import Record
from vitally_api.values import email_text

Item = TypeVar("Item")
IDENTITY = ("id", "userId", "vitallyUserId", "externalId", "email", "label")
"""Members that identify a person, message or field."""


def unite(first: Iterable[Item], then: Iterable[Item] = ()) -> list[Item]:
    """Merge two lists without duplicates; of two objects with the same identity, keep the later one."""
    united: dict[int, Item] = {}
    place: dict[Any, int] = {}
    for number, item in enumerate((*first, *then)):
        marks = _marks(item)
        known = {place[mark] for mark in marks if mark in place}
        at = min(known, default=number)
        for other in known - {at}:  # its e-mail is that of one, and its id that of another
            del united[other]
            place |= {mark: at for mark, where in place.items() if where == other}
        united[at] = item
        place |= dict.fromkeys(marks, at)
    return list(united.values())


def _marks(item: Any) -> list[Any]:
    """Return the identities of an item, as hashable values: (member, value) for each in `IDENTITY`."""
    if not isinstance(item, dict | list):
        return [item]
    named = {name: item.get(name) for name in IDENTITY} if isinstance(item, dict) else {}
    if isinstance(named.get("email"), str):
        named["email"] = email_text(named["email"])
    marks = [(n, v) for n, v in named.items() if v and isinstance(v, str | int)]
    return marks or [repr(item)]


def difference(wanted: Iterable[Record], present: Any) -> tuple[list[Record], list[Record]]:
    """Return the people to add, and the people to remove, to get from ``present`` to ``wanted``."""
    people = [person for person in present or () if isinstance(person, dict)]
    place = {mark: i for i, person in enumerate(people) for mark in _marks(person)}
    stay: set[int] = set()
    new = []
    for person in wanted:
        same = {place[mark] for mark in _marks(person) if mark in place} - stay
        stay |= same
        if not same:
            new.append(person)
    return new, [person for i, person in enumerate(people) if i not in stay]


def with_fields(wanted: Iterable[Record], present: Any) -> list[Record]:
    """Return the fields of a custom object, updated with and extended by those of a row, by label."""
    fields = [dict(field) for field in present or () if isinstance(field, dict)]
    for new in wanted:
        known = next((field for field in fields if field.get("label") == new.get("label")), None)
        if known is None:
            fields.append(new)
        else:
            known |= {n: v for n, v in new.items() if n != "model" or "model" in known}
    return fields
