"""Links of a record to others: what several rows name together, what is there, and what is neither."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from target_vitally.mapping.compare import displayed
from target_vitally.mapping.resource import Record, Resource
from vitally_api.values import email_text

Item = TypeVar("Item")
PARTICIPANTS = "participants"
IDENTITY = ("id", "userId", "vitallyUserId", "externalId", "email", "label")
"""Members by which people, messages and fields are known apart."""


def unite(first: Iterable[Item], then: Iterable[Item]) -> list[Item]:
    """Return what two rows name; of two objects that stand for the same, the later one."""
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
    """Return what an item of a list is known by, as values that can be looked up."""
    if not isinstance(item, dict | list):
        return [item]
    named = {name: item.get(name) for name in IDENTITY} if isinstance(item, dict) else {}
    if isinstance(named.get("email"), str):
        named["email"] = email_text(named["email"])
    marks = [(n, v) for n, v in named.items() if v and isinstance(v, str | int)]
    return marks or [repr(item)]


def difference(wanted: Iterable[Record], present: Any) -> tuple[list[Record], list[Record]]:
    """Return which people are to be added, and which are there and not wanted."""
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


def with_present(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    """Add the links that a record has to those that are wanted, so that a PUT takes none away.

    Where a record is linked to several and a PUT takes one, one of them is there already.
    """
    made = dict(body)
    for name, there in _gone(resource, body, record).items():
        made[name] = [*there, *body[name]]
    for ref in resource.links:
        linked = record.get(ref.among) or ()
        if any(isinstance(item, dict) and item.get("id") == body.get(ref.name) for item in linked):
            made[ref.name] = displayed(resource.by_name[ref.name], record) or body[ref.name]
    return made


def unlinked(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    """Return the links that a record has and that are not wanted, by their properties."""
    return {name: gone for name, gone in _gone(resource, body, record).items() if gone}


def _gone(resource: Resource, body: Mapping[str, Any], record: Record) -> Record:
    found: Record = {}
    for ref in resource.links:
        if ref.many and body.get(ref.name) is not None:
            wanted = set(body[ref.name])
            there = displayed(resource.by_name[ref.name], record) or ()
            found[ref.name] = [id_ for id_ in there if id_ not in wanted]
    if body.get(PARTICIPANTS) is not None:
        found[PARTICIPANTS] = difference(body[PARTICIPANTS], record.get(PARTICIPANTS))[1]
    return found
