# ruff: noqa: S608 - the names in the statements are of ours
"""A workspace that no sandbox makes, as two loaders leave it on two days, and what is true on them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from harness.support import Row
from tests.dbt.warehouses import Warehouse

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


class Maker:
    """Makes the rows of a workspace by chance."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.workspace = Workspace()
        for stream, size in SIZES.items():
            make = getattr(self, f"_{stream}")
            rows = {f"{stream}{i}": make(i) for i in range(size)}
            for key, row in rows.items():
                made = moment(self._before(days=300, least=20))
                row.update(id=key, createdAt=made, updatedAt=made, externalId=self._some("x1"))
            self.workspace.first[stream] = rows
        # Two accounts of which one user has more, and one account that nobody knows.
        self.workspace.first["users"]["users0"]["accountIds"] = [
            "accounts0",
            "accounts1",
            "accounts2",
        ]
        self.workspace.first["users"]["users1"]["accountIds"] = [
            "accounts3",
            "accounts3",
            "elsewhere",
        ]
        self._second_day()
        self._lists()

    def _second_day(self) -> None:
        rows = json.loads(json.dumps(self.workspace.first))
        for stream, every in rows.items():
            for key in self._random.sample(sorted(every), len(every) // 4):
                changed = getattr(self, f"_{stream}")(int(re.sub(r"\D", "", key)))
                every[key].update(changed, updatedAt=moment(DAYS[1] - timedelta(days=1)))
        for key in ("accounts0", "accounts1", "accounts5"):
            # What was text is an object, and a number a text.
            rows["accounts"][key]["traits"] = {"plan": {"name": "gold"}, "seats": "12"}
            rows["accounts"][key]["updatedAt"] = moment(DAYS[1] - timedelta(days=1))
        young = {**rows["users"]["users2"], "id": "young", "createdAt": moment(DAYS[1])}
        rows["users"]["young"] = {**young, "updatedAt": moment(DAYS[1])}
        self.workspace.rows = rows

    def _lists(self) -> None:
        """List ids: some records are gone, one comes back, and one is missing in the last list alone."""
        lists: list[dict[str, set[str]]] = []
        for number in range(len(RUNS)):
            ids = {name: set(self.workspace.first[name]) for name in LISTED}
            for name in LISTED:
                if number > 0:
                    ids[name].discard(f"{name}4")
                if number > 1:
                    ids[name].discard(f"{name}3")
                if number in (1, 2):
                    ids[name].discard(f"{name}5")
                if number == len(RUNS) - 1:
                    ids[name].discard(f"{name}0")
            lists.append(ids)
        lists[-1]["notes"].add("ghost")
        self.workspace.missing = {("notes", "ghost")}
        for name in LISTED:
            self.workspace.gone[0] |= {(name, f"{name}{i}"): RUNS[1] for i in (4, 5)}
            self.workspace.gone[1] |= {(name, f"{name}4"): RUNS[1], (name, f"{name}3"): RUNS[2]}
        for count in (3, 4):
            seen = {
                (name, key): RUNS[number]
                for number in range(count)
                for name, keys in lists[number].items()
                for key in keys
            }
            self.workspace.inventory.append(
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

    def _some(self, *values: Any) -> Any:
        """One of these values, or null."""
        return self._random.choice((*values, None))

    def _before(self, days: int, least: int = 0) -> datetime:
        minutes = self._random.randrange(least * 1440, days * 1440)
        return DAYS[0] - timedelta(minutes=minutes)

    def _around(self) -> Any:
        """A moment before or after the second day, or null."""
        minutes = self._random.randrange(-90 * 1440, 60 * 1440)
        return self._some(moment(DAYS[1] + timedelta(minutes=minutes)))

    def _key(self, stream: str, *others: str) -> Any:
        """A record of a stream, one that is not there, or null."""
        return self._some(
            *(f"{stream}{self._random.randrange(SIZES[stream])}" for _ in "1234"), *others
        )

    def _keys(self, stream: str) -> Any:
        """Several of these, some of them twice."""
        keys = [self._key(stream) for _ in range(self._random.randrange(4))]
        return self._some([key for key in keys if key])

    def _objects(self, stream: str) -> Any:
        keys = self._keys(stream)
        return keys and [{"id": key, "name": "as it was"} for key in keys]

    def _name(self) -> Any:
        return self._some(f"name{self._random.randrange(30):02}", "same", "same")

    def _segments(self) -> Any:
        chosen = self._random.sample(range(4), self._random.randrange(3))
        return self._some([{"id": f"s{i}", "name": f"segment{i}"} for i in chosen])

    def _organizations(self, _: int) -> Row:
        return {
            "name": self._name(),
            "mrr": self._some(0, 12.5),
            "csmId": self._key("admins", "left"),
        }

    def _accounts(self, _: int) -> Row:
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

    def _users(self, _: int) -> Row:
        return {
            "name": self._name(),
            "accountIds": self._keys("accounts"),
            "accounts": self._objects("accounts"),
            "organizationIds": self._keys("organizations"),
            "organizations": self._objects("organizations"),
            "segments": self._segments(),
            "deactivatedAt": self._some(self._around(), None),
        }

    def _admins(self, _: int) -> Row:
        return {"name": self._name(), "email": "somebody@example.com"}

    def _conversations(self, _: int) -> Row:
        return {"subject": self._some(*NASTY), "status": self._some("Open", "Closed", "open")}

    def _messages(self, _: int) -> Row:
        return {
            "conversationId": self._key("conversations"),
            "conversationAccountIds": self._keys("accounts"),
            "type": self._some("inbound", "outbound"),
            "timestamp": self._around(),
            "message": self._some(*NASTY),
        }

    def _notes(self, _: int) -> Row:
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

    def _tasks(self, _: int) -> Row:
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

    def _projects(self, _: int) -> Row:
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

    def _meetings(self, _: int) -> Row:
        start, whole = self._around(), self._around()
        people = [
            {"id": f"p{i}", "userId": self._key("users"), "vitallyUserId": self._key("admins")}
            for i in range(self._random.randrange(4))
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

    def _nps_responses(self, _: int) -> Row:
        return {
            "userId": self._key("users"),
            "target": self._some("accounts", "organization"),
            "score": self._some(*range(11)),
            "respondedAt": self._around(),
        }

    def _custom_object_instances(self, _: int) -> Row:
        return {
            "name": self._name(),
            "customerId": self._key("accounts"),
            "accountIds": self._keys("accounts"),
            "customers": self._objects("accounts"),
            "organizationId": self._key("organizations"),
            "ownedByVitallyUserId": self._key("admins"),
            "archivedAt": self._some(self._around(), None),
        }

    def _survey_responses(self, _: int) -> Row:
        values = ("text", 7, 0.5, "2026-01-31", ["a", "b"], True, None, "")
        answers = [
            {
                "id": f"answer{i}",
                "questionId": f"question{i}",
                "data": {"type": self._some("date", "text"), "value": self._some(*values)},
            }
            for i in range(self._random.randrange(4))
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


@dataclass(frozen=True)
class Loader:
    """Appends the versions of rows on each day."""

    is_records: bool
    """Whole records in one column of JSON, or a column of text for each property in snake_case."""

    def load(self, warehouse: Warehouse, schema: str, workspace: Workspace, day: int) -> None:
        """Make the tables on the first day, and append what is new or changed on the second."""
        is_first = day == 0
        if is_first:
            warehouse.write(f'CREATE SCHEMA "{schema}"', [()])
        whole = (workspace.first, workspace.rows)[day]
        tables: dict[str, Sequence[Row]] = {
            name: list(rows.values()) for name, rows in whole.items()
        }
        tables |= workspace.inventory[day]
        for name, rows in tables.items():
            columns = list({column: None for row in rows for column in row})
            if is_first:
                self._create(warehouse, schema, name, columns)
            changed = [row for row in rows if is_first or self._is_news(name, row, workspace)]
            if changed:
                self._append(warehouse, f'"{schema}".{name}', columns, changed, day)
        for name, names in EMPTY.items() if is_first else ():
            self._create(warehouse, schema, name, names)

    @staticmethod
    def _is_news(name: str, row: Row, workspace: Workspace) -> bool:
        before = workspace.first.get(name, {}).get(row["id"]) if "id" in row else None
        return before != row

    def _create(self, warehouse: Warehouse, schema: str, name: str, columns: Sequence[str]) -> None:
        json_type = "jsonb" if warehouse.name == "postgres" else "json"
        made = ", ".join(
            ["_sdc_sequence bigint", f"data {json_type}"]
            if self.is_records
            else ["_airbyte_extracted_at timestamp", *(f'"{snake(each)}" text' for each in columns)]
        )
        warehouse.write(f'CREATE TABLE "{schema}".{name} ({made})', [()])

    def _append(
        self,
        warehouse: Warehouse,
        table: str,
        columns: Sequence[str],
        rows: Sequence[Row],
        day: int,
    ) -> None:
        if self.is_records:
            values: list[tuple[Any, ...]] = [(day, json.dumps(row)) for row in rows]
        else:
            values = [(DAYS[day], *(text(row.get(each)) for each in columns)) for row in rows]
        warehouse.write(f"INSERT INTO {table} VALUES ({', '.join('?' for _ in values[0])})", values)


def snake(name: str) -> str:
    """A property as Airbyte's and other loaders spell it."""
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def text(value: Any) -> str | None:
    """A value as a loader without types stores it."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


VARIABLES: Mapping[str, Any] = {
    "vitally__traits": {"accounts": ["plan", {"path": "seats", "type": "number"}]}
}
