"""What a run does to one record, for the log and ``plan_file``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from target_vitally.mapping.items import difference
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.plan import Outcome, Plan
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import PendingWrite

Action = Literal["delete", "unlink", "create", "update"]
ACTIONS: tuple[Action, ...] = get_args(Action)
"""All actions in the order in which they are shown: those that cannot be reversed come first."""
NAMES = ("name", "label", "title", "subject", "email")
"""The members that may hold a name of a record or row for people, in order of preference."""
MOST_MESSAGES = 100
"""Messages of a conversation that go into one request."""
UNLINKED = "unlinked "
OF_OUTCOMES: Mapping[Outcome, Action] = {
    "deleted": "delete",
    "created": "create",
    "updated": "update",
}


@dataclass(frozen=True)
class PlannedChange:
    """The change of one record: its name and key, and (old, new) values by property."""

    action: Action
    stream: str
    name: str
    key: str
    values: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    refused: str = ""
    requests: int = 1


def planned_change(
    write_: PendingWrite, made: Plan, record: Record | None, refused: str = ""
) -> PlannedChange | None:
    """Return the change that a write makes, None if it makes none.

    ``refused`` is the reason if a limit keeps it from being carried out.
    """
    action = _accepted(made) if made.outcome == "accepted" else OF_OUTCOMES.get(made.outcome)
    if action is None:
        return None
    values: dict[str, tuple[Any, Any]] = {}
    if action == "update":
        values = dict(made.changes)
        if any(name.startswith(UNLINKED) for name in values):
            action = "unlink"
    elif action == "create":
        traits = made.body.get("traits") or {}
        values = {n: (None, value) for n, value in made.body.items() if n != "traits"}
        values |= {f"traits.{path}": (None, value) for path, value in traits.items()}
    before = made.record or (record if action == "delete" else None) or {}
    texts = (str(each.get(name) or "") for each in (before, write_.body) for name in NAMES)
    key = write_.key.value if write_.key else str(before.get("id") or "")
    stream = write_.mapping.stream
    name, requests = next(filter(None, texts), ""), requests_of(write_.resource.name, made)
    return PlannedChange(action, stream, name, key, values, refused, requests)


def _accepted(made: Plan) -> Action:
    """Return the action of a write that was sent in bulk without a check of its result."""
    if made.record is None:
        return "create"
    return "update" if made.body else "delete"


def requests_of(resource: str, made: Plan) -> int:
    """Return how many requests a plan takes."""
    if resource == "conversations":
        return max(1, -(-len(made.body.get("messages") or ()) // MOST_MESSAGES))
    if resource == "meetings" and made.outcome == "updated" and PARTICIPANTS in made.body:
        new, gone = difference(made.body[PARTICIPANTS], (made.record or {}).get(PARTICIPANTS))
        return len(new) + len(gone) + bool(made.body.keys() - {PARTICIPANTS})
    return 1
