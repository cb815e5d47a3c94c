"""A workspace that can be changed as its users change it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from sandbox.clock import Clock, iso
from sandbox.factories import FACTORIES
from sandbox.factories.random_values import Moments, NewRow
from sandbox.generate import Generator, sizes_for
from sandbox.rows import HIDDEN_LINKS, Rows
from sandbox.table import Links, Row

LINK_FIELDS = frozenset(
    {"accountId", "accountIds", "organizationId", "organizationIds", "userIds", "adminIds"}
)

SHOWN_FOR: Mapping[str, tuple[str, ...]] = {
    "accountId": ("account",),
    "accountIds": ("accounts",),
    "customerIds": ("customer", "customerId", "customers"),
    "organizationId": ("organization",),
    "organizationIds": ("organizations",),
    "userId": ("user",),
}
"""What a row shows for a link that is written."""

SEEN_FIELDS = frozenset({"firstKnown", "firstSeenTimestamp"})
"""Fields that say when Vitally first heard of somebody."""


class Workspace:
    """Everything a Vitally workspace holds, in as many ``rows`` as you like.

    A row differs from what it was only if its ``updatedAt`` does too, except for what `set_health`
    and `move_scores` do; `ignore` and `come_back` stamp nothing either.
    """

    def __init__(
        self, seed: int, accounts: int, clock: Clock, sizes: Mapping[str, int] | None
    ) -> None:
        self.clock, self.rows = clock, Rows(sorted(FACTORIES), clock)
        self.lock, self.tables = self.rows.lock, self.rows.tables
        self.ids, self.row = self.rows.ids, self.rows.row
        self._maker = Generator(self.rows, seed)
        self._ignored: dict[str, NewRow] = {}
        for resource, made in self._maker.history(sizes_for(accounts, sizes)):
            self._insert(resource, made)

    def create(self, resource: str, /, **fields: Any) -> Row:
        """Add a row, with whatever fields are not given drawn at random.

        Fields may be those of the row, or the links that the API takes on writing: ``accountId``
        and ``organizationId`` (notes, tasks, projects, npsResponses), ``accountIds`` and
        ``organizationIds`` (users, meetings, conversations), ``userIds`` (meetings, conversations),
        ``adminIds`` (conversations), ``customObjectId`` and ``customerIds`` (instances),
        ``conversationId`` (messages), ``meetingId`` (meetingTranscripts), ``surveyId``
        (surveyResponses), ``model`` or ``customObjectId`` (customFields).
        """
        with self.lock:
            now = iso(self.clock.now())
            made = self._maker.make(resource, Moments(now, now), fields)
            self._insert(resource, made)
            self._touch_whole(resource, made.links)
            return made.row

    def write(self, resource: str, /, **fields: Any) -> Row:
        """Add a row as a client writes it: like `create`, but nothing in it is left to chance."""
        with self.lock:
            now = iso(self.clock.now())
            made = self._maker.make(resource, Moments(now, now), fields)
            given = {"id", "createdAt", "updatedAt", *fields}
            given.update(*(SHOWN_FOR.get(name, ()) for name in fields))
            row = {
                name: value if name in given else _nothing(name, value, now)
                for name, value in made.row.items()
            }
            self._insert(resource, NewRow(row, made.links))
            self._touch_whole(resource, made.links)
            return row

    def update(self, resource: str, key: str, /, **fields: Any) -> Row:
        """Change fields of a row, or its parents where they can change, and stamp it."""
        if resource in HIDDEN_LINKS and fields.keys() & LINK_FIELDS:
            msg = f"{resource} keep the links they were created with"
            raise ValueError(msg)
        with self.lock:
            return self._change(resource, key, self.rows.linked(resource, fields))

    def archive(self, resource: str, key: str) -> Row:
        """Delete a row softly: it stays readable, with ``archivedAt`` set."""
        return self.update(resource, key, archivedAt=iso(self.clock.now()))

    def unarchive(self, resource: str, key: str) -> Row:
        """Undo `archive`."""
        return self.update(resource, key, archivedAt=None)

    def churn(self, account: str) -> Row:
        """Lose a customer: the account leaves the default list."""
        return self.update("accounts", account, churnedAt=iso(self.clock.now()))

    def deactivate(self, user: str) -> Row:
        """Deactivate a user, who stays in the lists."""
        return self.update("users", user, deactivatedAt=iso(self.clock.now()))

    def complete(self, task: str) -> Row:
        """Complete a task, by whomever it is assigned to."""
        by = {"completedById": "assignedToId", "completedBy": "assignedTo"}
        with self.lock:
            row = self.row("tasks", task)
            done = {field: row[source] for field, source in by.items()}
            return self.update("tasks", task, completedAt=iso(self.clock.now()), **done)

    def add_message(self, conversation: str, /, **fields: Any) -> Row:
        """Add a message, which also counts as an update of its conversation."""
        fields.setdefault("timestamp", iso(self.clock.now()))
        return self.create("messages", conversationId=conversation, **fields)

    def set_health(
        self,
        key: str,
        score: float | None,
        resource: Literal["accounts", "organizations"] = "accounts",
    ) -> Row:
        """Recompute a health score: a change that ``updatedAt`` says nothing of."""
        with self.lock:
            row = {**self.row(resource, key), "healthScore": score}
            self.rows.put(resource, key, row)
            return row

    def ignore(self, account: str) -> Row:
        """Have the app ignore an account: no list and no path shows it, and nothing else changes."""
        with self.lock:
            row = self.row("accounts", account)
            self._ignored[account] = NewRow(row, self.tables["accounts"].links(account))
            self.tables["accounts"].drop(account)
            return row

    def come_back(self, account: str) -> Row:
        """Undo `ignore`: the account is there as it was, with its old ``updatedAt``."""
        with self.lock:
            made = self._ignored.pop(account)
            self.rows.put("accounts", account, made.row, made.links)
            return made.row

    def delete(self, resource: str, key: str) -> None:
        """Delete a row for good, with its parts; rows that belonged to it lose the link."""
        with self.lock:
            links = self.tables[resource].links(key)
            for part, factory in FACTORIES.items():
                if factory.part_of == resource:
                    for child in self.tables[part].listed(key):
                        self.tables[part].drop(child)
            self.tables[resource].drop(key)
            self._touch_whole(resource, links)
            for name, table in self.tables.items():
                for child in table.listed(key):
                    rest = tuple(link for link in table.links(child) if link != key)
                    row = _without(table.rows[child], key)
                    self.rows.put(name, child, self.rows.stamped(row), rest)

    def _insert(self, resource: str, made: NewRow) -> None:
        row = made.row
        key = f"{made.links[0]}/{row['path']}" if resource == "customFields" else row["id"]
        self.rows.put(resource, key, row, made.links)

    def _change(self, resource: str, key: str, fields: Row) -> Row:
        row = self.rows.stamped({**self.row(resource, key), **fields})
        self.rows.put(resource, key, row)
        self._touch_whole(resource, self.tables[resource].links(key))
        return row

    def _touch_whole(self, resource: str, links: Links) -> None:
        """Update a conversation when a message of it changes (API notes: messages)."""
        if resource == "messages":
            self._change("conversations", links[0], {})


def _nothing(name: str, value: Any, now: str) -> Any:
    """What stands in a new row where nothing was given."""
    if name in SEEN_FIELDS:
        return now
    if name.endswith("Count"):
        return 0
    if name == "traits":
        return {}
    return type(value)() if isinstance(value, bool | list) else None


def _without(row: Row, gone: str) -> Row:
    """Cut every mention of a deleted parent out of a row."""

    def mentions(value: Any) -> bool:
        return value == gone or (isinstance(value, dict) and value.get("id") == gone)

    return {
        field: [item for item in value if not mentions(item)]
        if isinstance(value, list)
        else (None if mentions(value) else value)
        for field, value in row.items()
    }
