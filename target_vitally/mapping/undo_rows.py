"""The rows of an undo file: made of what is about to be written, and read when it is fed back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from target_vitally.mapping.parse_row import Key, Rejection
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite
from target_vitally.mapping.undo import ONLY_ARCHIVED, Change, Undo, before, senders
from target_vitally.mapping.values import coerce, same
from vitally_api.values import key_text

UNDO = "_undo"
"""The column by which a stream is known to take a run back."""
OWN_ROWS = frozenset({"messages", "customFields"})
"""Properties whose items are taken back one by one, or not at all."""
LISTS = frozenset({"tags", "ids", "list", "people", "messages"})
"""Kinds of properties that are compared item by item."""

TRANSCRIPT = "a transcript cannot be deleted by the API, only replaced"
FIELDS = "fields stay that were added to a custom object"
OBJECT = "a custom object that was created may only be deleted in the app"
ANOTHER_ID = (
    "a record that was deleted comes back with another id, and without what Vitally keeps of it"
)
HUNG = "what hung on a deleted record does not come back with it, such as its notes, tasks and projects"
UNARCHIVE = "nobody knows whether Vitally brings back what it has archived"
LATER = "a user whom Vitally has yet to delete is only taken back once it is gone"
UNKEYED = "messages without an external id do not come back with their conversation"


def undos_of_write(write_: PendingWrite, made: Plan, messages: Resource) -> list[Undo]:
    """Return what takes a create or an update back, in the order of what is written.

    ``messages`` is the resource of what a conversation holds.
    """
    resource, record = write_.resource, made.record or {}
    if made.outcome == "created":
        if resource.name == "meeting_transcripts":
            undo = Undo("updated", resource.name, cannot=(TRANSCRIPT,))
        else:
            cannot = (OBJECT,) if resource.name == "custom_objects" else ()
            undo = Undo("created", resource.name, written=made.body, cannot=cannot)
        undo.key = key_in(resource, made.body, write_.key)
        undo.inside = write_.inside
        return [undo]
    undo = undo_of_update(resource, made.body, record)
    undo.key, undo.inside = key_in(resource, record, write_.key), write_.inside
    if made.body.get("customFields"):
        undo.cannot += (FIELDS,)
    found = [undo] if undo.old or undo.cannot else []
    return [*found, *_undos_of_messages(made, record, messages)]


def _undos_of_messages(made: Plan, record: Record, messages: Resource) -> Iterator[Undo]:
    """Yield what takes back the messages that the update of a conversation writes."""
    held = {str(m.get("externalId")): m for m in record.get("messages") or ()}
    for message in made.body.get("messages") or ():
        key = Key("externalId", str(message["externalId"]))
        there = held.get(key.value)
        if there is None:
            undo = Undo("created", messages.name, written=dict(message))
        else:
            undo = undo_of_update(messages, message, there)
        undo.key, undo.inside = key, {"conversationId": str(record["id"])}
        yield undo


def undo_of_update(resource: Resource, sent: Record, record: Record) -> Undo:
    """Return what takes an update back, with what ``record`` says of what is ``sent``."""
    old: Record = {}
    cannot: list[str] = []
    for name, value in sent.items():
        prop = resource.by_name.get(name)
        if prop is None or name in OWN_ROWS:
            continue
        was = before(prop, record)
        if same(prop.kind, senders(value), was):
            continue
        if was is None and (prop.needed or not prop.clears):
            cannot.append(f"{name} cannot be emptied again")
        else:
            old[name] = was
    held = record.get("traits")
    held = held if isinstance(held, dict) else {}
    if sent.get("traits"):
        old["traits"] = {path: held.get(path) for path in sent["traits"]}
    written = {name: sent[name] for name in old}
    id_ = str(record.get("id") or "")
    return Undo("updated", resource.name, id_, old=old, written=written, cannot=tuple(cannot))


def undo_of_delete(write_: PendingWrite, record: Record) -> Undo:
    """Return what takes a delete back; ``record`` is what is deleted, as Vitally shows it."""
    resource = write_.resource
    key = key_in(resource, record, write_.key if resource.only_message else None)
    archived = UNARCHIVE if key else ONLY_ARCHIVED
    cannot = [archived if resource.archives else ANOTHER_ID]
    if resource.only_message:  # what a message links, another unlinks
        return Undo("deleted", resource.name, str(record["id"]), key, write_.inside, record)
    if resource.name in {"accounts", "organizations"}:
        cannot.append(HUNG)
    if resource.name == "users":
        cannot.append(LATER)
    if any(not message.get("externalId") for message in record.get("messages") or ()):
        cannot.append(UNKEYED)
    id_ = str(record["id"])
    return Undo("deleted", resource.name, id_, key, write_.inside, record, cannot=tuple(cannot))


def key_in(resource: Resource, record: Mapping[str, Any], key: Key | None) -> Key | None:
    """Return what a record is known by: its external id or name, or else what a row knew it by."""
    text = key_text(resource.key, record.get(resource.key)) if resource.key else ""
    if resource.key and text:
        return Key(resource.key, text)
    return key if key and key.by != "id" else None


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
    """Read a row of an undo file; raise `Rejection` for one that it cannot have had."""
    how = row.get(UNDO)
    if not isinstance(how, dict) or how.get("change") not in get_args(Change):
        msg = f"{UNDO}: it does not say what was changed, as rows of an undo file do"
        raise Rejection(msg)
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
        msg = f"{UNDO}: it is not as a run wrote it"
        raise Rejection(msg) from None
    return undo


def _check(resource: Resource, undo: Undo) -> None:
    """Raise an error for a row that somebody has mended by hand into what no run writes."""
    maps = undo.old.get("traits") or {}, undo.written.get("traits", {})
    inside = [undo.inside[name] for name in resource.in_path]
    if not all(isinstance(each, dict) for each in maps) or not all(inside):
        raise TypeError
    for prop in resource.by_name.values():
        for said in (undo.old, undo.written):
            value = before(prop, said)
            if value is not None and (prop.kind in LISTS or prop.name == resource.key):
                coerce(prop.kind, value)
