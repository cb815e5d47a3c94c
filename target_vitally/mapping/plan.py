"""Compare a row with its record in Vitally, and decide what to send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, get_args

from target_vitally.mapping.entries import Mode
from target_vitally.mapping.links import displayed, unlinked, with_present
from target_vitally.mapping.parse_row import ParsedRow
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.values import changed_messages, same, same_trait

Outcome = Literal[
    "created", "updated", "unchanged", "deleted", "ignored",
    "rejected", "uncertain", "accepted", "not reached",
]  # fmt: skip
"""What became of a row."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
ARCHIVED = "archived in Vitally, where nobody can say what a write would do to it"

NO_RECORD = "no record has this"
"""The beginning of the reason if an update's record does not exist."""
NO_OWN_KEY = "a row without a key of its own cannot be copied"
SCALARS = frozenset({str, int, bool, Decimal})
Changes = dict[str, tuple[Any, Any]]
"""By property or ``traits.<path>``: the value of the record, and that of the row."""


@dataclass(frozen=True)
class Plan:
    """What to do for a write; ``outcome`` is the outcome once that is done.

    ``body`` is what a create or update sends, ``record`` the record as it is now; ``reason`` says why
    nothing, or not all of it, is done.
    """

    outcome: Outcome
    reason: str = ""
    body: Record = field(default_factory=dict)
    record: Record | None = None
    changes: Changes = field(default_factory=dict)


def plan(  # noqa: PLR0911, PLR0913 - a table of cases
    resource: Resource,
    mode: Mode,
    wanted: ParsedRow,
    body: Record,
    present: Sequence[Record],
    *,
    only_changed: bool = True,
    missing: str = "",
    exact: AbstractSet[str] = frozenset(),
) -> Plan:
    """Decide what to do for a row; ``body`` has its properties and the ids of its references.

    ``present`` are the records with its key. ``missing`` names a record that the row refers to and that
    does not exist: a write is rejected for it. From the properties in ``exact``, links are removed
    that the row does not name.
    """
    if len(present) > 1:
        return Plan("rejected", f"{len(present)} records have this {_key_name(wanted)}")
    record = present[0] if present else None
    if wanted.delete:
        return deletion(record)
    if record is None:
        return _creation(resource, mode, wanted, body, missing)
    if mode == "create":
        return Plan("ignored", "it exists already", record=record)
    if missing:
        return Plan("rejected", missing, record=record)
    if record.get("archivedAt"):
        return Plan("rejected", ARCHIVED, record=record)
    gone = unlinked(resource, body, record) if exact else {}
    named = {name: body[name] for name in exact if name in body}
    body = with_present(resource, body, record) | named
    found = changes(resource, body, wanted.traits, record)
    found |= {f"unlinked {name}": (gone[name], []) for name in gone.keys() & exact & found.keys()}
    fixed = ", ".join(prop.name for prop in resource.fixed if found.pop(prop.name, None))
    sent = update_body(resource, wanted, body, record, found, only_changed=only_changed)
    reason = f"only a create takes {fixed}, and the record has another" if fixed else ""
    if sent:
        return Plan("updated", reason, body=sent, record=record, changes=found)
    return Plan("ignored" if fixed else "unchanged", reason, record=record)


def is_unchanged(
    resource: Resource, wanted: ParsedRow, ids: Mapping[str, Sequence[str]], record: Record
) -> bool:
    """Return True if `plan` would find nothing to do for a row that only adds links; this is faster.

    It may return False where `plan` finds nothing, too. ``ids`` has the ids of the row's references.
    """
    for name, linked in ids.items():
        there = displayed(resource.by_name[name], record)
        if not all(id_ in (there if isinstance(there, list) else [there]) for id_ in linked):
            return False
    if record.get("archivedAt"):
        return False
    return not changes(resource, wanted.properties, wanted.traits, record)


def _key_name(wanted: ParsedRow) -> str:
    return wanted.key.by if wanted.key else "key: the row has none"


def deletion(record: Record | None) -> Plan:
    """Decide what to do for a delete."""
    if record is None:
        return Plan("unchanged", "it is not there")
    if record.get("archivedAt"):
        return Plan("unchanged", "it is archived already", record=record)
    return Plan("deleted", record=record)


def _creation(  # noqa: PLR0911 - a table of cases
    resource: Resource, mode: Mode, wanted: ParsedRow, body: Mapping[str, Any], missing: str
) -> Plan:
    """Decide what to do for a row whose record does not exist."""
    if mode == "update":
        return Plan("ignored", f"{NO_RECORD} {_key_name(wanted)}")
    if missing:
        return Plan("rejected", missing)
    by = wanted.key.by if wanted.key else ""
    needs_key = resource.key and (resource.key_needed or mode != "create")
    if wanted.copy and (by == "id" or (needs_key and not by)):
        return Plan("ignored", NO_OWN_KEY)
    if by == "id":
        return Plan("rejected", f"{NO_RECORD} id")
    if by == "email" and not body.get(resource.key or ""):
        return Plan("rejected", f"{NO_RECORD} email, and to create one takes an externalId")
    if needs_key and not by:
        return Plan("rejected", f"it has no {resource.key}, so that it could be created twice")
    lacking = [
        prop.name for prop in resource.properties if prop.needed and body.get(prop.name) is None
    ]
    lacking += [
        " or ".join(group)
        for group in resource.one_of
        if not any(body.get(name) is not None for name in group)
    ]
    if lacking:
        return Plan("rejected", f"to create it takes {', '.join(lacking)}")
    return Plan("created", body=create_body(wanted, body))


def create_body(wanted: ParsedRow, body: Mapping[str, Any]) -> Record:
    """Return the body of a create: all values that are not None."""
    sent = {name: value for name, value in body.items() if value is not None}
    traits = {path: value for path, value in wanted.traits.items() if value is not None}
    return sent | ({"traits": traits} if traits else {})


def update_body(  # noqa: PLR0913 - what there is, what is wanted, and the difference
    resource: Resource,
    wanted: ParsedRow,
    body: Mapping[str, Any],
    record: Record,
    found: Changes,
    *,
    only_changed: bool = True,
) -> Record:
    """Return the body of an update: what differs, or everything unless ``only_changed``; or empty."""
    fixed = {"id", "externalId", *(prop.name for prop in resource.fixed)}
    sent = {
        name: found[name][1] if name in found else value
        for name, value in body.items()
        if name not in fixed and (name in found or not only_changed)
    }
    traits = {
        path: value
        for path, value in wanted.traits.items()
        if f"traits.{path}" in found or not only_changed
    }
    if not sent and not traits:
        return {}
    for prop in resource.properties:
        if prop.always and prop.name not in sent:
            value = body.get(prop.name, displayed(prop, record))
            if value is not None:
                sent[prop.name] = value
    return sent | ({"traits": traits} if traits else {})


def as_displayed(resource: Resource, body: Mapping[str, Any], before: Record) -> Record:
    """Return the members that a record shows after ``body`` was written into it, without traits."""
    now = {name: value for name, value in body.items() if name != "traits"}
    for name, prop in resource.by_name.items():
        if name in body and prop.displayed:
            now[prop.displayed] = [{"id": id_} for id_ in body[name] or ()]
        if name in body and prop.kind == "messages":
            messages = [*(before.get(name) or ()), *(body[name] or ())]
            now[name] = list({str(each.get("externalId")): each for each in messages}.values())
    return now


def changes(
    resource: Resource,
    body: Mapping[str, Any],
    traits: Mapping[str, Any],
    record: Mapping[str, Any],
) -> Changes:
    """Return the properties and traits in which a record differs from a row; skip what it does not show."""
    found: Changes = {}
    properties = resource.by_name
    for name, wanted in body.items():
        present = record.get(name)
        # Nearly all of an unchanged row is equal scalars; the rest takes 10 µs.
        if (
            wanted.__class__ in SCALARS
            and wanted.__class__ is present.__class__
            and wanted == present
        ):
            continue
        prop = properties.get(name)
        if prop is None:
            continue
        present = displayed(prop, record)
        unknown = prop.fixed and (wanted is None or (present is None and name not in record))
        if unknown or same(prop.kind, wanted, present):
            continue
        if prop.kind == "messages":  # each is written by itself, and hundreds would fill a plan
            found[name] = (len(present or ()), changed_messages(wanted, present))
        else:
            found[name] = (present, wanted)
    held = record.get("traits")
    if not isinstance(held, dict):
        held = {}
    fields = resource.fields
    for path, wanted in traits.items():
        present = held.get(path)
        if (
            wanted.__class__ in SCALARS
            and wanted.__class__ is present.__class__
            and wanted == present
        ):
            continue
        if not same_trait(fields.get(path), wanted, present):
            found[f"traits.{path}"] = (present, wanted)
    return found
