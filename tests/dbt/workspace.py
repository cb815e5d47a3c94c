"""A workspace that no sandbox makes, on two days."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from harness.support import Row

DAYS = tuple(map(datetime.fromisoformat, ("2026-02-27T12:00:00", "2026-03-06T12:00:00")))
"""Of which one is the last of February on which dbt runs."""
RUNS = tuple(
    datetime.fromisoformat(f"2026-{day}T03:00:00") for day in ("02-24", "02-25", "02-26", "03-05")
)
"""When ids were listed: the last list is of the second day."""
SIZES = {
    "organizations": 16,
    "accounts": 40,
    "users": 90,
    "conversations": 40,
    "messages": 160,
    "notes": 40,
    "tasks": 60,
    "projects": 20,
    "meetings": 30,
    "nps_responses": 60,
    "custom_object_instances": 25,
    "survey_responses": 12,
    "admins": 5,
}
LISTED = [name for name in SIZES if name not in ("messages", "survey_responses", "admins")]
EMPTY = {"project_categories": ("id", "name"), "note_categories": ("id", "name")}
"""Tables without a row; those of many streams that are optional are not there at all."""
NASTY: list[Any] = ['"', "'", "a, b", "ü 💬", "", "{}", "[1]", "null", "\\", "0"]

OTHERS: list[Any] = [7, True]


@dataclass
class Workspace:
    """The rows of each stream by id, as they are in the end, and what is known of those that are gone."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    first: dict[str, dict[str, Row]] = field(default_factory=dict)
    """As they were on the first day."""
    gone: list[dict[tuple[str, str], datetime]] = field(default_factory=lambda: [{}, {}])
    """The records that are gone on each day, with the first list that lacked them."""
    inventory: list[dict[str, list[Row]]] = field(default_factory=list)
    """The two tables of lists, on each day."""
    missing: set[tuple[str, str]] = field(default_factory=set)
    """What is listed in the end, and in no table."""


def make_workspace(seed: int) -> Workspace:
    """Make a workspace of records that differ by chance, with links that real ones have."""
    factory = RecordFactory(seed)
    workspace = Workspace()
    for stream, size in SIZES.items():
        workspace.first[stream] = {f"{stream}{i}": factory.record(stream, i) for i in range(size)}
    users = workspace.first["users"]
    users["users0"]["accountIds"] = ["accounts0", "accounts1", "accounts2"]
    users["users1"]["accountIds"] = ["accounts3", "accounts3", "elsewhere"]
    workspace.rows = _second_day(factory, workspace.first)
    _list_ids(workspace)
    return workspace


def _second_day(
    factory: RecordFactory, first: Mapping[str, Mapping[str, Row]]
) -> dict[str, dict[str, Row]]:
    rows: dict[str, dict[str, Row]] = json.loads(json.dumps(first))
    changed_at = moment(DAYS[1] - timedelta(days=1))
    for stream, every in rows.items():
        for key in factory.random.sample(sorted(every), len(every) // 4):
            created = every[key]["createdAt"]
            every[key] |= {
                **factory.record(stream, key.removeprefix(stream)),
                "createdAt": created,
                "updatedAt": changed_at,
            }
    for key in ("accounts0", "accounts1", "accounts5"):
        # What was text is an object, and a number a text.
        changed = {"traits": {"plan": {"name": "gold"}, "seats": "12"}, "updatedAt": changed_at}
        rows["accounts"][key] |= changed
    now = moment(DAYS[1])
    rows["users"]["young"] = {
        **rows["users"]["users2"],
        "id": "young",
        "createdAt": now,
        "updatedAt": now,
    }
    return rows


def _list_ids(workspace: Workspace) -> None:
    """List ids: some records are gone, one comes back, and one is missing in the last list alone."""
    lists: list[dict[str, set[str]]] = []
    for number in range(len(RUNS)):
        gone = {4: number > 0, 3: number > 1, 5: number in (1, 2), 0: number == len(RUNS) - 1}
        missing = [i for i, is_gone in gone.items() if is_gone]
        lists.append(
            {name: {*workspace.first[name]} - {f"{name}{i}" for i in missing} for name in LISTED}
        )
    lists[-1]["notes"].add("ghost")
    workspace.missing = {("notes", "ghost")}
    for name in LISTED:
        workspace.gone[0] |= {(name, f"{name}{i}"): RUNS[1] for i in (4, 5)}
        workspace.gone[1] |= {(name, f"{name}4"): RUNS[1], (name, f"{name}3"): RUNS[2]}
    for count in (3, 4):
        seen = {
            (name, key): RUNS[number]
            for number in range(count)
            for name, keys in lists[number].items()
            for key in keys
        }
        workspace.inventory.append(
            {
                "inventory": [
                    {"resource": name, "id": key, "seenAt": moment(at)}
                    for (name, key), at in seen.items()
                ],
                "inventory_runs": [
                    {"resource": name, "startedAt": moment(RUNS[number]), "count": len(keys)}
                    for number in range(count)
                    for name, keys in lists[number].items()
                ],
            }
        )


class RecordFactory:
    """Makes records by chance."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def record(self, stream: str, number: int | str) -> Row:
        """A record of a stream."""
        created = moment(self._before(days=300, least=20))
        made: Row = getattr(self, f"_{stream}")()
        return {
            **made,
            "id": f"{stream}{number}",
            "createdAt": created,
            "updatedAt": created,
            "externalId": self._some("x1"),
        }

    def _some(self, *values: Any) -> Any:
        """One of these values, or null."""
        return self.random.choice((*values, None))

    def _before(self, days: int, least: int = 0) -> datetime:
        minutes = self.random.randrange(least * 1440, days * 1440)
        return DAYS[0] - timedelta(minutes=minutes)

    def _around(self) -> Any:
        """A moment before or after the second day, or null."""
        minutes = self.random.randrange(-90 * 1440, 60 * 1440)
        return self._some(moment(DAYS[1] + timedelta(minutes=minutes)))

    def _key(self, stream: str, *others: str) -> Any:
        """A record of a stream, one that is not there, or null."""
        return self._some(
            *(f"{stream}{self.random.randrange(SIZES[stream])}" for _ in "1234"), *others
        )

    def _keys(self, stream: str) -> Any:
        """Several of these, some of them twice."""
        keys = [self._key(stream) for _ in range(self.random.randrange(4))]
        return self._some([key for key in keys if key])

    def _objects(self, stream: str) -> Any:
        keys = self._keys(stream)
        return keys and [{"id": key, "name": "as it was"} for key in keys]

    def _name(self) -> Any:
        return self._some(f"name{self.random.randrange(30):02}", "same", "same")

    def _segments(self) -> Any:
        chosen = self.random.sample(range(4), self.random.randrange(3))
        return self._some([{"id": f"s{i}", "name": f"segment{i}"} for i in chosen])

    def _organizations(self) -> Row:
        return {
            "name": self._name(),
            "mrr": self._some(0, 12.5),
            "csmId": self._key("admins", "left"),
        }

    def _accounts(self) -> Row:
        return {
            "name": self._name(),
            "organizationId": self._key("organizations", "elsewhere"),
            "csmId": self._key("admins", "left"),
            "mrr": self._some(0, 10, 99.99, 1234.5, -3),
            "churnedAt": self._some(self._around(), None, None),
            "nextRenewalDate": self._around(),
            "healthScore": self._some(0, 3.99, 4, 6.99, 7, 10),
            "segments": self._segments(),
            "lastInboundMessageTimestamp": self._around(),
            "traits": {"plan": self._some(*NASTY, *OTHERS), "seats": self._some(3, 4.5, "many")},
        }

    def _users(self) -> Row:
        return {
            "name": self._name(),
            "accountIds": self._keys("accounts"),
            "accounts": self._objects("accounts"),
            "organizationIds": self._keys("organizations"),
            "organizations": self._objects("organizations"),
            "segments": self._segments(),
            "deactivatedAt": self._some(self._around(), None),
        }

    def _admins(self) -> Row:
        return {"name": self._name(), "email": "somebody@example.com"}

    def _conversations(self) -> Row:
        return {"subject": self._some(*NASTY), "status": self._some("Open", "Closed", "open")}

    def _messages(self) -> Row:
        return {
            "conversationId": self._key("conversations"),
            "conversationAccountIds": self._keys("accounts"),
            "type": self._some("inbound", "outbound"),
            "timestamp": self._around(),
            "message": self._some(*NASTY),
        }

    def _notes(self) -> Row:
        return {
            "accountId": self._key("accounts", "elsewhere"),
            "organizationId": self._key("organizations"),
            "subject": self._some(*NASTY),
            "note": self._some(*NASTY),
            "noteDate": self._around(),
            "authorId": self._key("admins", "left"),
            "categoryId": self._some("none of these"),
            "archivedAt": self._some(self._around(), None, None),
        }

    def _tasks(self) -> Row:
        return {
            "name": self._name(),
            "accountId": self._key("accounts"),
            "assignedToId": self._key("admins"),
            "completedById": self._key("admins"),
            "completedAt": self._some(self._around(), None, None),
            "dueDate": self._around(),
            "archivedAt": self._some(self._around(), None, None, None),
            "projectIds": self._keys("projects"),
            "projects": self._objects("projects"),
        }

    def _projects(self) -> Row:
        days = {
            name: day and day[:10]
            for name in ("actualStartDate", "actualCompletionDate", "targetCompletionDate")
            for day in [self._around()]
        }
        owner = self._key("admins")
        archived = self._some(self._around(), None, None)
        account = self._key("accounts")
        return {
            "name": self._name(),
            "accountId": account,
            "ownedByVitallyUserId": owner,
            "archivedAt": archived,
            **days,
        }

    def _meetings(self) -> Row:
        start, whole = self._around(), self._around()
        people = [
            {"id": f"p{i}", "userId": self._key("users"), "vitallyUserId": self._key("admins")}
            for i in range(self.random.randrange(4))
        ]
        return {
            "title": self._some(*NASTY),
            "startDateTime": start,
            "endDateTime": start and self._around(),
            "startDate": None if start else whole and whole[:10],
            "externalStatus": self._some("confirmed", "cancelled"),
            "archivedAt": self._some(self._around(), None, None),
            "participants": self._some(people),
            "accountIds": self._keys("accounts"),
            "accounts": self._objects("accounts"),
            "notes": self._some([], [{"id": "n"}]),
        }

    def _nps_responses(self) -> Row:
        return {
            "userId": self._key("users"),
            "target": self._some("accounts", "organization"),
            "score": self._some(*range(11)),
            "respondedAt": self._around(),
        }

    def _custom_object_instances(self) -> Row:
        return {
            "name": self._name(),
            "customerId": self._key("accounts"),
            "accountIds": self._keys("accounts"),
            "customers": self._objects("accounts"),
            "organizationId": self._key("organizations"),
            "ownedByVitallyUserId": self._key("admins"),
            "archivedAt": self._some(self._around(), None),
        }

    def _survey_responses(self) -> Row:
        values = ("text", 7, 0.5, "2026-01-31", ["a", "b"], True, None, "")
        answers = [
            {
                "id": f"answer{i}",
                "questionId": f"question{i}",
                "data": {"type": self._some("date", "text"), "value": self._some(*values)},
            }
            for i in range(self.random.randrange(4))
        ]
        return {
            "surveyId": "survey",
            "accountId": self._key("accounts"),
            "userId": self._key("users"),
            "questionResponses": self._some(answers),
        }


def moment(at: datetime) -> str:
    """A moment as the API writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
