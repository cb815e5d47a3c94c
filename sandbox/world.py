"""A world of customers that lives in memory, changes on demand and knows the truth about itself."""

from __future__ import annotations

from random import Random
from threading import RLock
from typing import TYPE_CHECKING, Any

from sandbox.clock import Clock, iso
from sandbox.generate import Made, Maker, Moments, sizes_for
from sandbox.life import live_a_day, random_change
from sandbox.table import Links, Row, Table
from sandbox.truth import truth

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.truth import Truth

RESOURCES = (
    "accounts",
    "admins",
    "conversations",
    "customFields",
    "customObjects",
    "instances",
    "meetingTranscripts",
    "meetings",
    "messages",
    "noteCategories",
    "notes",
    "npsResponses",
    "organizations",
    "projectCategories",
    "projectTemplates",
    "projects",
    "surveyQuestions",
    "surveyResponses",
    "surveys",
    "taskCategories",
    "tasks",
    "users",
)

HIDDEN_LINKS = frozenset({"conversations", "customFields", "messages", "npsResponses"})
"""Resources whose rows do not say what they belong to; the links are fixed when they are made."""

LINK_FIELDS = frozenset(
    {"accountId", "accountIds", "organizationId", "organizationIds", "userIds", "adminIds"}
)

PARTS: Mapping[str, tuple[str, ...]] = {
    "conversations": ("messages",),
    "customObjects": ("instances", "customFields"),
    "meetings": ("meetingTranscripts",),
    "surveys": ("surveyQuestions", "surveyResponses"),
}
"""What goes away together with a row."""


class World:
    """Everything a Vitally workspace holds, in as many rows as you like.

    Worlds with the same seed, sizes and clock are equal, row by row. All methods may be called from
    any thread; ``lock`` makes several of them one step.

    An object embedded in a row is a copy from when the two were linked, and ages while the original
    moves on. So a row differs from what it was only if its ``updatedAt`` does too, except for what
    `set_health` does.
    """

    def __init__(
        self,
        seed: int = 1,
        accounts: int = 50,
        clock: Clock | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """Make a world.

        Args:
            seed: What everything random follows from.
            accounts: How large the world is; the other resources are in proportion.
            clock: The clock that stamps every change.
            sizes: Row counts of single resources (see `sandbox.generate.sizes_for`).
        """
        self.clock = clock or Clock()
        self.lock = RLock()
        self.tables: Mapping[str, Table] = {resource: Table() for resource in RESOURCES}
        self._copies: dict[tuple[str, tuple[str, ...]], tuple[Row, Row]] = {}
        self._days = Random(f"{seed}:days")
        self._maker = Maker(self, seed)
        for resource, made in self._maker.history(sizes_for(accounts, sizes)):
            self._insert(resource, made)

    # Looking.

    def ids(self, resource: str) -> list[str]:
        """Return the ids of a resource's rows, oldest row first."""
        with self.lock:
            return list(self.tables[resource].ids)

    def row(self, resource: str, key: str) -> Row:
        """Return one row as the API lists it; treat it as read-only."""
        return self.tables[resource].rows[key]

    def truth(self, stream: str) -> Truth:
        """Return exactly the rows that a tap should deliver for a stream, by primary key.

        Args:
            stream: A stream's name in snake_case (see `sandbox.truth`).
        """
        with self.lock:
            return truth(self, stream)

    def health_scores(self, account: str) -> Any:
        """Return an account's health breakdown in one of the shapes it may come in.

        Nobody has seen the real one (API notes: health scores), so the shape depends on the id, and
        some accounts have none at all, which is None.
        """
        row = self.tables["accounts"].rows[account]
        parts = [
            {"name": name, "score": row["healthScore"], "weight": 0.5}
            for name in ("Usage", "Support 💬")
        ]
        shapes = (
            {"overall": row["healthScore"], "components": parts},
            parts,
            {"results": parts},
            {"data": parts},
            None,
        )
        return shapes[int(account[-4:], 16) % len(shapes)]

    # Changing.

    def create(self, resource: str, /, **fields: Any) -> Row:
        """Add a row, with whatever fields are not given drawn at random.

        Args:
            resource: A resource such as ``notes``; those of custom objects are ``instances``.
            fields: Fields of the row, or the links that the API takes on writing: ``accountId``
                and ``organizationId`` (notes, tasks, projects, npsResponses), ``accountIds`` and
                ``organizationIds`` (users, meetings, conversations), ``userIds`` (meetings,
                conversations), ``adminIds`` (conversations), ``customObjectId`` and ``customerIds``
                (instances), ``conversationId`` (messages), ``meetingId`` (meetingTranscripts),
                ``surveyId`` (surveyResponses), ``model`` or ``customObjectId`` (customFields).
        """
        with self.lock:
            now = iso(self.clock.now())
            made = self._maker.make(resource, Moments(now, now), fields)
            self._insert(resource, made)
            self._touch_whole(resource, made.links)
            return made.row

    def update(self, resource: str, key: str, /, **fields: Any) -> Row:
        """Change fields of a row, or whom it belongs to, and stamp it.

        Raises:
            ValueError: The links of such a row cannot be changed.
        """
        if resource in HIDDEN_LINKS and fields.keys() & LINK_FIELDS:
            msg = f"{resource} keep the links they were created with"
            raise ValueError(msg)
        with self.lock:
            return self._change(resource, key, self.linked(resource, fields))

    def archive(self, resource: str, key: str) -> Row:
        """Delete a row softly: it stays readable, with ``archivedAt`` set."""
        return self.update(resource, key, archivedAt=iso(self.clock.now()))

    def unarchive(self, resource: str, key: str) -> Row:
        """Take an `archive` back."""
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

    def set_health(self, account: str, score: float | None) -> Row:
        """Recompute a health score. It is the one change that ``updatedAt`` says nothing of."""
        with self.lock:
            row = {**self.row("accounts", account), "healthScore": score}
            self._put("accounts", account, row)
            return row

    def delete(self, resource: str, key: str) -> None:
        """Delete a row for good, with its parts; rows that belonged to it lose the link."""
        with self.lock:
            links = self.tables[resource].links(key)
            for part in PARTS.get(resource, ()):
                for child in self.tables[part].listed(key):
                    self.tables[part].drop(child)
            self.tables[resource].drop(key)
            self._touch_whole(resource, links)
            for name, table in self.tables.items():
                for child in table.listed(key):
                    rest = tuple(link for link in table.links(child) if link != key)
                    row = _without(table.rows[child], key)
                    self._put(name, child, self._stamped(row), rest)

    def live_a_day(self, deletes: int = 0) -> dict[str, int]:
        """Let a day's worth of changes of all kinds happen; the clock stays where it is.

        Args:
            deletes: How many rows to delete for good as well.

        Returns:
            How often each thing happened, by name.
        """
        with self.lock:
            return live_a_day(self, self._days, deletes)

    def random_change(self, random: Random, *, deletes: bool = False) -> str:
        """Make one change of any kind and say which.

        Args:
            random: What decides on the change.
            deletes: Whether it may be a deletion for good.
        """
        with self.lock:
            return random_change(self, random, deletes=deletes)

    # What the maker needs.

    def linked(self, resource: str, fields: Row) -> Row:
        """Turn the links that are written into the fields that are read (API notes: embeds)."""
        fields = dict(fields)
        lacking = ("keyRoles",) if resource == "users" else ("keyRoles", "segments")
        if resource in ("notes", "tasks", "instances"):
            for single, many in (("account", "accounts"), ("organization", "organizations")):
                if f"{single}Id" in fields:
                    fields[single] = self.copy_without(many, fields[f"{single}Id"], lacking)
        if "customerIds" in fields:
            ids = fields.pop("customerIds")
            customers = [self.copy_without("accounts", id_, lacking) for id_ in ids]
            fields["customerId"] = ids[0] if ids else None
            fields["customer"] = customers[0] if customers else None
            fields["customers"] = customers
        for ids_field, many in (("accountIds", "accounts"), ("organizationIds", "organizations")):
            if ids_field in fields:
                ids = fields.pop(ids_field)
                fields[many] = [self.copy_without(many, id_, lacking) for id_ in ids]
        return fields

    def copy_of(self, resource: str, key: str | None) -> Row | None:
        """Return a row to embed whole, or None for none."""
        return self.tables[resource].rows[key] if key else None

    def copy_without(self, resource: str, key: str | None, lacking: tuple[str, ...]) -> Row | None:
        """Return a row to embed without some fields; equal copies are one and the same object."""
        if key is None:
            return None
        row = self.tables[resource].rows[key]
        original, copy = self._copies.get((key, lacking), (None, None))
        if original is not row or copy is None:
            copy = {field: value for field, value in row.items() if field not in lacking}
            self._copies[key, lacking] = row, copy
        return copy

    # Writing.

    def _insert(self, resource: str, made: Made) -> None:
        row = made.row
        key = f"{made.links[0]}/{row['path']}" if resource == "customFields" else row["id"]
        self._put(resource, key, row, made.links)

    def _change(self, resource: str, key: str, fields: Row) -> Row:
        row = self._stamped({**self.row(resource, key), **fields})
        self._put(resource, key, row)
        self._touch_whole(resource, self.tables[resource].links(key))
        return row

    def _touch_whole(self, resource: str, links: Links) -> None:
        """Let a change of a message count for its conversation (API notes: messages)."""
        if resource == "messages":
            self._change("conversations", links[0], {})

    def _stamped(self, row: Row) -> Row:
        return {**row, "updatedAt": iso(self.clock.now())} if "updatedAt" in row else row

    def _put(self, resource: str, key: str, row: Row, links: Links | None = None) -> None:
        table = self.tables[resource]
        if resource not in HIDDEN_LINKS:
            links = tuple(_visible_links(row))
        elif links is None:
            links = table.links(key)
        table.put(key, row, links)


def _visible_links(row: Row) -> Iterable[str]:
    for field in ("accountId", "organizationId", "customObjectId", "meetingId", "surveyId"):
        if row.get(field):
            yield row[field]
    for field in ("accounts", "organizations", "customers"):
        for parent in row.get(field, ()):
            yield parent["id"]


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
