"""Changes of a workspace: those of a day, and single ones at random."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

from sandbox.factories import FACTORIES
from sandbox.resources import ARCHIVED_LISTS
from sandbox.workspace import Workspace

EDITED_FIELDS: Final[Mapping[str, str]] = {
    resource: factory.edited for resource, factory in FACTORIES.items() if factory.edited
}
"""The field that an ordinary edit changes."""

ARCHIVABLE: Final = tuple(resource for resource in FACTORIES if resource in ARCHIVED_LISTS)
"""Resources whose rows are deleted softly (API notes: ``archivedAt``)."""

DELETABLE: Final = ("accounts", "users", "notes", "npsResponses", "conversations", "instances")
"""Resources that `live_a_day` and `random_change` may delete from for good."""


def edit(world: Workspace, resource: str, key: str) -> None:
    """Change something about a row that shows."""
    field = EDITED_FIELDS[resource]
    value: Any = f"{world.row(resource, key)[field] or ''} ✎"
    if field == "transcript":
        value = [*world.row(resource, key)[field], {"speaker": {"name": "✎"}, "sentences": []}]
    elif field == "respondedAt":
        value = None
    world.update(resource, key, **{field: value})


def add(world: Workspace, resource: str) -> None:
    """Add a row, unless there is nothing it could belong to."""
    owners = FACTORIES[resource].part_of
    if not owners or len(world.tables[owners]):
        world.create(resource)


def live_a_day(world: Workspace, random: Random, deletes: int) -> dict[str, int]:
    """Make the changes of a day: one row in fifty is edited, one in a hundred is new, and so on.

    Return how often each thing happened.
    """
    happened: Counter[str] = Counter()
    for resource in EDITED_FIELDS:
        for key in _some(world, random, resource, 0.02):
            edit(world, resource, key)
            happened[f"{resource} updated"] += 1
        for _ in range(1 + len(world.tables[resource]) // 100):
            add(world, resource)
            happened[f"{resource} created"] += 1
    for resource in ARCHIVABLE:
        for key in _some(world, random, resource, 0.01, unset="archivedAt"):
            world.archive(resource, key)
            happened[f"{resource} archived"] += 1
    for name, resource, act, share, unset in (
        ("accounts churned", "accounts", world.churn, 0.001, "churnedAt"),
        ("users deactivated", "users", world.deactivate, 0.001, "deactivatedAt"),
        ("tasks completed", "tasks", world.complete, 0.02, "completedAt"),
        ("messages created", "conversations", world.add_message, 0.05, ""),
    ):
        for key in _some(world, random, resource, share, unset=unset):
            act(key)
            happened[name] += 1
    for _ in range(deletes):
        resource = random.choice([name for name in DELETABLE if world.tables[name].ids])
        world.delete(resource, random.choice(world.tables[resource].ids))
        happened[f"{resource} deleted"] += 1
    return dict(happened)


def random_change(world: Workspace, random: Random, *, deletes: bool) -> str:
    """Make one change of any kind, perhaps a deletion for good, and say which."""
    special: Mapping[str, tuple[str, Callable[[str], Any]]] = {
        "churn": ("accounts", world.churn),
        "deactivate": ("users", world.deactivate),
        "complete": ("tasks", world.complete),
        "add_message": ("conversations", world.add_message),
    }
    kinds = ["update", "update", "create", "archive", "unarchive", *special]
    kind = random.choice([*kinds, "delete"] if deletes else kinds)
    if kind == "create":
        resource = random.choice(list(EDITED_FIELDS))
        add(world, resource)
        return f"create {resource}"
    if kind in special:
        choices: tuple[str, ...] = (special[kind][0],)
    else:
        choices = {"update": tuple(EDITED_FIELDS), "delete": DELETABLE}.get(kind, ARCHIVABLE)
    filled = [name for name in choices if world.tables[name].ids]
    if not filled:
        return f"{kind} nothing"
    resource = random.choice(filled)
    key = random.choice(world.tables[resource].ids)
    if kind in special:
        special[kind][1](key)
    elif kind == "update":
        edit(world, resource, key)
    else:
        getattr(world, kind)(resource, key)
    return f"{kind} {resource} {key}"


def _some(
    world: Workspace, random: Random, resource: str, share: float, *, unset: str = ""
) -> list[str]:
    """Draw a share of a resource's rows, at least one if there is any with that field unset."""
    table = world.tables[resource]
    ids = [key for key in table.ids if not (unset and table.rows[key][unset])]
    return random.sample(ids, min(len(ids), max(1, int(len(ids) * share))))
