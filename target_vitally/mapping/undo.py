"""A change that is taken back: what is known of it, and what is done about it now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

from target_vitally.mapping.links import displayed
from target_vitally.mapping.parse_row import Key, ParsedRow
from target_vitally.mapping.plan import ARCHIVED, Plan, changes, update_body
from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.mapping.values import MESSAGE

Change = Literal["created", "updated", "deleted", "found"]
"""What was done; ``found`` if a create was refused because the record was there."""
NEVER_ABSENT = frozenset({"messages", "people", "participants"})
"""Kinds of lists that a create takes even where they are empty."""
PERSON = ("userId", "vitallyUserId", "email")

GONE = "its record is not there any more"
SINCE = "changed by somebody else since, and left as it is: {}"
HANGING = "not deleted, since others have added {} to it"
PRESENT = "its record is there"
FOUND = "it was there before the run"
KEYLESS = (
    "created without a key, and the run ended before its id was known: look in Vitally whether it is "
    "there"
)
ONLY_ARCHIVED = (
    "Vitally has archived it, and there is no external id to bring it back by: use the app"
)
TWICE = "it has no external id, so that a second undo would create it again: create it by a row of your own"
STILL_ARCHIVED = "Vitally keeps it archived: restore it in the app"


@dataclass
class UndoRun:
    """What is known of a run that takes changes back.

    ``moved`` has the new ids of records that were created again, by their old ones; ``settled`` the
    ids of records that are as they were before; ``simulated`` what a dry run would have made of records.
    """

    moved: dict[str, str] = field(default_factory=dict)
    settled: set[str] = field(default_factory=set)
    simulated: dict[str, list[Record]] = field(default_factory=dict)

    def settle(self, undo: Undo, id_: str, *, dry_run: bool) -> None:
        """Remember that a record was deleted, or would be."""
        self.settled.add(id_)
        if dry_run:
            self.simulated[undo.identity] = []

    def renamed(self, value: Any) -> Any:
        """Replace the ids of records that were created again."""
        if isinstance(value, dict):
            return {name: self.renamed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.renamed(item) for item in value]
        return self.moved.get(value, value) if isinstance(value, str) else value


@dataclass
class Undo:
    """One change of a run.

    ``old`` is what the record said of what an update changed, or the whole record of a delete;
    ``written`` is what was sent. Traits are in ``traits`` of both. ``inside`` has the ids that the
    record's address takes. ``cannot`` says what will stay; ``order`` grows from one change to the next.
    ``completes`` is the order of the create whose id this one tells. ``run`` is the run that takes it
    back.
    """

    change: Change
    resource: str
    id: str = ""
    key: Key | None = None
    inside: Mapping[str, str] = field(default_factory=dict)
    old: Record = field(default_factory=dict)
    written: Record = field(default_factory=dict)
    cannot: tuple[str, ...] = ()
    order: int = 0
    completes: int = 0
    run: UndoRun = field(default_factory=UndoRun)

    @property
    def identity(self) -> str:
        """Name the record, by its key where it has one: changes of one record follow each other."""
        place = "/".join((self.resource, *self.inside.values()))
        return f"{place}/{f'{self.key.by}:{self.key.value}' if self.key else self.id}"

    @property
    def by(self) -> Key | None:
        """What the record is found by."""
        by_id = Key("id", self.id) if self.id else None
        return by_id or self.key if self.change == "updated" else self.key or by_id


def before(prop: Property, record: Record) -> Any:
    """Return what a record says of a property, as Vitally takes it."""
    value = displayed(prop, record)
    if value is None and prop.kind in {"tags", "ids"}:
        return []
    if prop.kind == "messages":
        return [_some(m, MESSAGE) for m in value or () if m.get("externalId")]
    if prop.kind == "participants":
        return [_participant(person) for person in value or ()]
    return senders(value) if prop.kind == "people" else value


def _participant(person: Record) -> Record:
    """Return somebody as a meeting takes them, who is named in one way."""
    named = next((name for name in PERSON if person.get(name)), "id")
    return _some(person, (named, "type", "responseStatus", "isOrganizer"))


def senders(value: Any) -> Any:
    """Return people as messages take them, and anything else as it is."""
    if isinstance(value, list):
        return [senders(person) for person in value]
    return _some(value, ("type", "id")) if isinstance(value, dict) else value


def _some(item: Record, names: Iterable[str]) -> Record:
    return {name: senders(item[name]) for name in names if item.get(name) is not None}


def parsed_undo(
    resource: Resource, undo: Undo, protected: Iterable[str]
) -> tuple[ParsedRow, frozenset[str]]:
    """Return a change as a row that takes it back, and the traits of a deleted record that are left out."""
    old = undo.run.renamed({name: value for name, value in undo.old.items() if name != "traits"})
    traits = dict(undo.old.get("traits") or {})
    left_out: frozenset[str] = frozenset()
    if undo.change == "deleted":
        patterns = tuple(protected)
        left_out = frozenset(p for p in traits if any(fnmatchcase(p, each) for each in patterns))
        traits = {path: value for path, value in traits.items() if path not in left_out}
        old = {
            prop.name: value
            for prop in resource.by_name.values()
            if (value := before(prop, old)) is not None
            and (value != [] or prop.kind in NEVER_ABSENT)
        }
    elif undo.change == "created":
        old, traits = {}, {}
    else:
        old = {name: old[name] for name in old if name in resource.by_name and name in undo.written}
        traits = {path: traits[path] for path in traits if path in undo.written.get("traits", {})}
    return ParsedRow(undo.by, "update", properties=old, traits=traits), left_out


def plan_undo(  # noqa: PLR0911 - a table of cases
    resource: Resource, undo: Undo, wanted: ParsedRow, present: list[Record]
) -> Plan:
    """Decide how a change is taken back; what somebody else has changed since is left as it is."""
    if len(present) > 1:
        return Plan("rejected", f"{len(present)} records have its key")
    record = present[0] if present else None
    if undo.change == "created":
        return _plan_created(resource, undo, record)
    if undo.change == "deleted":
        return _plan_deleted(resource, undo, wanted, record)
    if not (wanted.properties or wanted.traits):
        return Plan("rejected", "; ".join(undo.cannot), record=record)
    if record is None:
        return Plan("ignored", GONE)
    found = changes(resource, wanted.properties, wanted.traits, record)
    if not found:
        return Plan("unchanged", record=record)
    if record.get("archivedAt"):
        return Plan("rejected", ARCHIVED, record=record)
    since = found.keys() & _differing(resource, undo, record)
    if since:
        return Plan("rejected", SINCE.format(", ".join(sorted(since))), record=record)
    sent = update_body(resource, wanted, wanted.properties, record, found)
    return Plan("updated", body=sent, record=record, changes=found)


def _plan_created(resource: Resource, undo: Undo, record: Record | None) -> Plan:
    if undo.key is None and not undo.id:
        return Plan("rejected", KEYLESS)
    if record is None:
        return Plan("unchanged", "it is not there")
    if record.get("archivedAt"):
        return Plan("unchanged", "it is archived already", record=record)
    if since := _differing(resource, undo, record):
        return Plan("rejected", SINCE.format(", ".join(sorted(since))), record=record)
    return Plan("deleted", record=record)


def _plan_deleted(resource: Resource, undo: Undo, wanted: ParsedRow, record: Record | None) -> Plan:
    if record and not record.get("archivedAt"):
        return Plan("unchanged", PRESENT, record=record)
    if undo.key is None:
        return Plan("rejected", ONLY_ARCHIVED if resource.archives else TWICE, record=record)
    body = {name: value for name, value in wanted.properties.items() if value is not None}
    traits = {path: value for path, value in wanted.traits.items() if value is not None}
    return Plan("created", body=body | ({"traits": traits} if traits else {}))


def _differing(resource: Resource, undo: Undo, record: Record) -> set[str]:
    """Name what a record says otherwise than was written; Vitally fills in ``{{...}}``."""
    written = undo.run.renamed({n: v for n, v in undo.written.items() if n != "traits"})
    sent = {n: v for n, v in written.items() if not (isinstance(v, str) and "{{" in v)}
    return set(changes(resource, sent, undo.written.get("traits") or {}, record))
