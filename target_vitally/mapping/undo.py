"""Reverse changes: what is written about each of them first, and how it is reversed in a later run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from target_vitally.mapping.links import displayed
from target_vitally.mapping.parse_row import Key, ParsedRow, Rejection, owned_traits
from target_vitally.mapping.plan import ARCHIVED, Plan, changes, create_body, deletion, update_body
from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.mapping.rows import Change, PendingWrite, Undo
from target_vitally.mapping.values import MESSAGE, coerce, same
from vitally_api.values import key_text

UNDO = "_undo"
"""The column by which a stream is known to take a run back."""
OWN_ROWS = frozenset({"messages", "customFields"})
"""Properties whose items are taken back one by one, or not at all."""
LISTS = frozenset({"tags", "ids", "list", "people", "participants", "messages", "fields"})
"""Kinds of properties that are compared item by item."""
NEVER_ABSENT = frozenset({"messages", "people", "participants"})
"""Kinds of lists that a create takes even where they are empty."""
PERSON = ("userId", "vitallyUserId", "email", "id")
"""Members that name a person of a meeting; Vitally takes one of them."""

TRANSCRIPT = "a transcript cannot be deleted by the API, only replaced"
FIELDS = "fields stay that were added to a custom object"
OBJECT = "a custom object that was created may only be deleted in the app"
ANOTHER_ID = (
    "a record that was deleted comes back with another id, and without what Vitally keeps of it"
)
HUNG = "what hung on a deleted record does not come back with it, such as its notes, tasks and projects"
UNARCHIVE = "nobody knows whether Vitally brings back what it has archived"
LATER = "a user that Vitally has yet to delete can be taken back only once it is gone"
UNKEYED = "messages without an external id do not come back with their conversation"

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
STILL_LINKED = "updates only add links here: take {} away in the app, or set analytics_api_key"
STILL_ARCHIVED = "Vitally keeps it archived: restore it in the app"


def undos_of_write(write_: PendingWrite, made: Plan, messages: Resource) -> list[Undo]:
    """Return what reverses a create or an update, in the order of the writes.

    ``messages`` is the resource of the messages of conversations.
    """
    resource, record = write_.resource, made.record or {}
    if made.outcome == "created":
        if resource.name == "meeting_transcripts":
            undo = Undo("updated", resource.name, cannot=(TRANSCRIPT,))
        else:
            cannot = (OBJECT,) if resource.name == "custom_objects" else ()
            undo = Undo("created", resource.name, written=made.body, cannot=cannot)
        undo.key, undo.inside = _key_in(resource, made.body, write_.key), write_.inside
        return [undo]
    undo = undo_of_update(resource, made.body, record)
    undo.key, undo.inside = _key_in(resource, record, write_.key), write_.inside
    if made.body.get("customFields"):
        undo.cannot += (FIELDS,)
    found = [undo] if undo.old or undo.cannot else []
    return [*found, *_undos_of_messages(made, record, messages)]


def _undos_of_messages(made: Plan, record: Record, messages: Resource) -> Iterator[Undo]:
    """Yield what reverses the messages that an update of a conversation writes."""
    held = {str(m.get("externalId")): m for m in record.get("messages") or ()}
    for message in made.body.get("messages") or ():
        key = Key("externalId", str(message["externalId"]))
        if key.value in held:
            undo = undo_of_update(messages, message, held[key.value])
        else:
            undo = Undo("created", messages.name, written=dict(message))
        undo.key, undo.inside = key, {"conversationId": str(record["id"])}
        yield undo


def undo_of_update(resource: Resource, sent: Record, record: Record) -> Undo:
    """Return what reverses an update: the former values, from ``record``, of the properties ``sent``."""
    old: Record = {}
    cannot: list[str] = []
    for name, value in sent.items():
        prop = resource.by_name.get(name)
        if prop is None or name in OWN_ROWS:
            continue
        was = _as_taken(prop, record)
        if same(prop.kind, _sender(value), was):
            continue
        if was is None and (prop.needed or not prop.clears):
            cannot.append(f"{name} cannot be emptied again")
        else:
            old[name] = was
    held = record.get("traits")
    if sent.get("traits"):
        held = held if isinstance(held, dict) else {}
        old["traits"] = {path: held.get(path) for path in sent["traits"]}
    written = {name: sent[name] for name in old}
    id_ = str(record.get("id") or "")
    return Undo("updated", resource.name, id_, old=old, written=written, cannot=tuple(cannot))


def undo_of_delete(write_: PendingWrite, record: Record) -> Undo:
    """Return what reverses a delete; ``record`` is the deleted record as Vitally shows it."""
    resource = write_.resource
    key = _key_in(resource, record, write_.key if resource.only_message else None)
    cannot: list[str] = []
    if resource.archives:
        cannot.append(UNARCHIVE if key else ONLY_ARCHIVED)
    elif not resource.only_message:  # what a message links, another unlinks
        cannot.append(ANOTHER_ID)
    if resource.name in {"accounts", "organizations"}:
        cannot.append(HUNG)
    if resource.name == "users":
        cannot.append(LATER)
    if any(not message.get("externalId") for message in record.get("messages") or ()):
        cannot.append(UNKEYED)
    id_ = str(record["id"])
    return Undo("deleted", resource.name, id_, key, write_.inside, record, cannot=tuple(cannot))


def _key_in(resource: Resource, record: Mapping[str, Any], key: Key | None) -> Key | None:
    """Return the key of a record: its external id or name, or else the key of its row."""
    text = key_text(resource.key, record.get(resource.key)) if resource.key else ""
    if resource.key and text:
        return Key(resource.key, text)
    return key if key and key.by != "id" else None


def _as_taken(prop: Property, record: Record) -> Any:
    """Return the value of a property in a record, in the form that a write takes."""
    value = displayed(prop, record)
    if value is None and prop.kind in {"tags", "ids"}:
        return []
    if prop.kind == "messages":
        return [_some(message, MESSAGE) for message in value or () if message.get("externalId")]
    if prop.kind == "participants":
        return [_participant(person) for person in value or ()]
    return _sender(value) if prop.kind == "people" else value


def _participant(person: Record) -> Record:
    named = next(name for name in PERSON if person.get(name) or name == "id")
    return _some(person, (named, "type", "responseStatus", "isOrganizer"))


def _sender(value: Any) -> Any:
    """Reduce people to the type and id that messages take; return anything else as it is."""
    if isinstance(value, list):
        return [_sender(person) for person in value]
    return _some(value, ("type", "id")) if isinstance(value, dict) else value


def _some(item: Record, names: Iterable[str]) -> Record:
    return {name: _sender(item[name]) for name in names if item.get(name) is not None}


def as_row(undo: Undo) -> Record:
    """Write a change as a row of a Singer stream."""
    known = {"id": undo.id} if undo.id else {}
    if undo.key and not undo.key.by.startswith("trait:"):
        known[undo.key.by] = undo.key.value
    how: Record = {
        "change": undo.change,
        "order": undo.order,
        "id": undo.id or None,
        "key": {"by": undo.key.by, "value": undo.key.value} if undo.key else None,
        "inside": dict(undo.inside),
        "written": undo.written,
        "cannot": list(undo.cannot),
    }
    if undo.completes:
        how["completes"] = undo.completes
    gone = {"_deleted": True} if undo.change == "created" else {}
    return {**known, **undo.old, **gone, UNDO: how}


def read_undo(resource: Resource, row: Mapping[str, Any]) -> Undo:
    """Read a row of an undo file; raise `Rejection` if no run can have written it."""
    how = row.get(UNDO)
    if not isinstance(how, dict) or how.get("change") not in get_args(Change):
        raise Rejection(f"{UNDO}: it does not say what was changed, as rows of an undo file do")
    key = how.get("key")
    try:
        undo = Undo(
            how["change"],
            resource.name,
            id=str(how.get("id") or ""),
            key=Key(str(key["by"]), str(key["value"])) if key else None,
            inside={str(name): str(value) for name, value in (how.get("inside") or {}).items()},
            old={name: value for name, value in row.items() if not name.startswith("_")},
            written=dict(how.get("written") or {}),
            cannot=tuple(map(str, how.get("cannot") or ())),
            order=int(how.get("order") or 0),
            completes=int(how.get("completes") or 0),
        )
        _check(resource, undo)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Rejection(f"{UNDO}: it is not as a run wrote it") from None
    return undo


def _check(resource: Resource, undo: Undo) -> None:
    """Raise `KeyError`, `TypeError` or `ValueError` if a row was edited into what no run writes."""
    maps = undo.old.get("traits") or {}, undo.written.get("traits", {})
    inside = [undo.inside[name] for name in resource.in_path]
    if not all(isinstance(each, dict) for each in maps) or not all(inside):
        raise TypeError
    for prop in resource.by_name.values():
        for value in (_as_taken(prop, undo.old), undo.written.get(prop.name)):
            if value is not None and (prop.kind in LISTS or prop.name == resource.key):
                coerce(prop.kind, value)


def parsed_undo(
    resource: Resource, undo: Undo, protected: Iterable[str]
) -> tuple[ParsedRow, frozenset[str]]:
    """Return a row that reverses a change, and the ``protected`` traits that it leaves out."""
    old = undo.run.renamed({name: value for name, value in undo.old.items() if name != "traits"})
    traits = dict(undo.old.get("traits") or {})
    left_out: frozenset[str] = frozenset()
    if undo.change == "deleted":
        left_out = owned_traits(tuple(traits), tuple(protected))
        traits = {path: value for path, value in traits.items() if path not in left_out}
        taken = {prop.name: _as_taken(prop, old) for prop in resource.by_name.values()}
        absent = {
            name
            for name, value in taken.items()
            if value is None or (value == [] and resource.by_name[name].kind not in NEVER_ABSENT)
        }
        old = {name: value for name, value in taken.items() if name not in absent}
    elif undo.change == "created":
        old, traits = {}, {}
    else:
        old = {name: old[name] for name in old if name in resource.by_name and name in undo.written}
        traits = {path: traits[path] for path in traits if path in undo.written.get("traits", {})}
    return ParsedRow(undo.by, "update", properties=old, traits=traits), left_out


def plan_undo(  # noqa: PLR0911 - a table of cases
    resource: Resource, undo: Undo, wanted: ParsedRow, present: list[Record]
) -> Plan:
    """Decide how to reverse a change; what somebody else has changed since is left as it is."""
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
    if since := found.keys() & _differing(resource, undo, record):
        return Plan("rejected", SINCE.format(", ".join(sorted(since))), record=record)
    sent = update_body(resource, wanted, wanted.properties, record, found)
    return Plan("updated", body=sent, record=record, changes=found)


def _plan_created(resource: Resource, undo: Undo, record: Record | None) -> Plan:
    if undo.key is None and not undo.id:
        return Plan("rejected", KEYLESS)
    made = deletion(record)
    if record and made.outcome == "deleted" and (since := _differing(resource, undo, record)):
        return Plan("rejected", SINCE.format(", ".join(sorted(since))), record=record)
    return made


def _plan_deleted(resource: Resource, undo: Undo, wanted: ParsedRow, record: Record | None) -> Plan:
    if record and not record.get("archivedAt"):
        return Plan("unchanged", PRESENT, record=record)
    if undo.key is None:
        return Plan("rejected", ONLY_ARCHIVED if resource.archives else TWICE, record=record)
    return Plan("created", body=create_body(wanted, wanted.properties))


def _differing(resource: Resource, undo: Undo, record: Record) -> set[str]:
    """Return the properties that differ from what was written, except text with ``{{...}}``.

    Vitally fills that in.
    """
    written = undo.run.renamed({n: v for n, v in undo.written.items() if n != "traits"})
    sent = {n: v for n, v in written.items() if not (isinstance(v, str) and "{{" in v)}
    return set(changes(resource, sent, undo.written.get("traits") or {}, record))
