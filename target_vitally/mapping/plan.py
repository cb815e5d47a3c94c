"""What has to be done for a row, given what Vitally holds now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, get_args

from target_vitally.mapping.compare import Changes, changes, displayed, has_links, unchangeable
from target_vitally.mapping.entries import Mode
from target_vitally.mapping.links import unlinked, with_present
from target_vitally.mapping.parse_row import ParsedRow
from target_vitally.mapping.resource import Record, Resource

Outcome = Literal[
    "created",
    "updated",
    "unchanged",
    "deleted",
    "ignored",
    "rejected",
    "uncertain",
    "accepted",
    "not reached",
]
"""What became of a row."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
ARCHIVED = "archived in Vitally, where nobody can say what a write would do to it"

NO_RECORD = "no record has this"
"""What the reason begins with of a row that could only update."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, as the word for it once it is done.

    ``body`` is what a create or update sends, ``record`` what is there now; ``reason`` says why
    nothing is done.
    """

    outcome: Outcome
    reason: str = ""
    body: Record = field(default_factory=dict)
    record: Record | None = None
    changes: Changes = field(default_factory=dict)


Compare = Callable[[Record, Record, Record], Changes]
"""Takes a body, traits and a record, and returns in what the record differs."""


def plan(  # noqa: PLR0911, PLR0913 - a table of cases
    resource: Resource,
    mode: Mode,
    wanted: ParsedRow,
    body: Record,
    present: Sequence[Record],
    *,
    only_changed: bool = True,
    compare: Compare | None = None,
    missing: str = "",
    exact: bool = False,
) -> Plan:
    """Decide; ``body`` is what the row says with its references resolved, without traits.

    ``missing`` says what the row refers to and is not there, which only matters if it is written.
    ``exact`` if links that it does not name are taken away.
    """
    if len(present) > 1:
        return Plan("rejected", f"{len(present)} records have this {_key_name(wanted)}")
    record = present[0] if present else None
    if wanted.delete:
        return _deletion(record)
    if record is None:
        return _creation(resource, mode, wanted, body, missing)
    if mode == "create":
        return Plan("ignored", "it exists already", record=record)
    if missing:
        return Plan("rejected", missing, record=record)
    if record.get("archivedAt"):
        return Plan("rejected", ARCHIVED, record=record)
    gone = unlinked(resource, body, record) if exact else {}
    body = body if exact else with_present(resource, body, record)
    compare = compare or partial(changes, resource)
    found = compare(body, wanted.traits, record)
    found |= {f"unlinked {name}": (links, []) for name, links in gone.items() if name in found}
    sent: Record = {}
    if found or not only_changed:
        sent = update_body(resource, wanted, body, record, found if only_changed else None)
    fixed = ", ".join(unchangeable(resource, body, record))
    reason = f"only a create takes {fixed}, and the record has another" if fixed else ""
    if sent:
        return Plan("updated", reason, body=sent, record=record, changes=found)
    return Plan("ignored" if fixed else "unchanged", reason, record=record)


def is_unchanged(
    resource: Resource, wanted: ParsedRow, ids: Mapping[str, Sequence[str]], record: Record
) -> bool:
    """Return True only if `plan` would find nothing to do for a row that adds links, in less time.

    ``ids`` are those of what the row refers to, by property.
    """
    if record.get("archivedAt") or not has_links(resource, ids, record):
        return False
    return not (
        changes(resource, wanted.properties, wanted.traits, record)
        or unchangeable(resource, wanted.properties, record)
    )


def _key_name(wanted: ParsedRow) -> str:
    return wanted.key.by if wanted.key else "key: the row has none"


def _deletion(record: Record | None) -> Plan:
    if record is None:
        return Plan("unchanged", "it is not there")
    if record.get("archivedAt"):
        return Plan("unchanged", "it is archived already", record=record)
    return Plan("deleted", record=record)


def _creation(  # noqa: PLR0911 - a table of cases
    resource: Resource, mode: Mode, wanted: ParsedRow, body: Mapping[str, Any], missing: str
) -> Plan:
    """Decide on a row whose record is not there."""
    if mode == "update":
        return Plan("ignored", f"{NO_RECORD} {_key_name(wanted)}")
    if missing:
        return Plan("rejected", missing)
    if wanted.key and wanted.key.by == "id":
        if wanted.copy:
            return Plan("ignored", "a row without a key of its own cannot be copied")
        return Plan("rejected", f"{NO_RECORD} id")
    if wanted.key and wanted.key.by == "email" and not body.get(resource.key or ""):
        return Plan("rejected", f"{NO_RECORD} email, and to create one takes an externalId")
    if wanted.key is None and resource.key and (resource.key_needed or mode != "create"):
        if wanted.copy:
            return Plan("ignored", "a row without a key of its own cannot be copied")
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
    sent = {name: value for name, value in body.items() if value is not None}
    traits = {path: value for path, value in wanted.traits.items() if value is not None}
    return Plan("created", body=sent | ({"traits": traits} if traits else {}))


def update_body(
    resource: Resource,
    wanted: ParsedRow,
    body: Mapping[str, Any],
    record: Record,
    found: Changes | None,
) -> Record:
    """Return what an update sends: what differs, or everything where ``found`` is None."""
    allowed = {
        name for name in body if (prop := resource.by_name.get(name)) is None or not prop.fixed
    } - {"id", "externalId"}
    if found is None:
        sent = {name: body[name] for name in allowed}
        traits = dict(wanted.traits)
    else:
        sent = {name: body[name] for name in allowed if name in found}
        prefix = "traits."
        traits = {p: wanted.traits[p] for p in wanted.traits if f"{prefix}{p}" in found}
    if not sent and not traits:
        return {}
    for prop in resource.properties:
        if prop.always and prop.name not in sent:
            value = body.get(prop.name, displayed(prop, record))
            if value is not None:
                sent[prop.name] = value
    return sent | ({"traits": traits} if traits else {})
