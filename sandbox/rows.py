"""The rows of a workspace: where they are kept, and what they say of each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import RLock
from typing import Any

from sandbox.clock import Clock, iso
from sandbox.table import Links, Row, Table

HIDDEN_LINKS = frozenset({"conversations", "customFields", "messages", "npsResponses"})
"""Resources whose rows do not say what they belong to; the links are fixed when they are made."""


class Rows:
    """All rows by resource; ``lock`` makes several steps one.

    An object embedded in a row is a copy from when the two were linked, and ages while the original
    moves on.
    """

    def __init__(self, resources: Iterable[str], clock: Clock) -> None:
        self.clock = clock
        self.lock = RLock()
        self.tables: Mapping[str, Table] = {resource: Table() for resource in resources}
        self._copies: dict[tuple[str, tuple[str, ...]], tuple[Row, Row]] = {}

    def ids(self, resource: str) -> list[str]:
        """Return the ids of a resource's rows, oldest row first."""
        with self.lock:
            return list(self.tables[resource].ids)

    def row(self, resource: str, key: str) -> Row:
        """Return one row as the API lists it; treat it as read-only."""
        return self.tables[resource].rows[key]

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

    def put(self, resource: str, key: str, row: Row, links: Links | None = None) -> None:
        """Write a row; what it is listed under is read off it, where it says so."""
        table = self.tables[resource]
        if resource not in HIDDEN_LINKS:
            links = tuple(_visible_links(row))
        elif links is None:
            links = table.links(key)
        table.put(key, row, links)

    def stamped(self, row: Row) -> Row:
        """Return a row with the present moment as its ``updatedAt``, if its resource has one."""
        return {**row, "updatedAt": iso(self.clock.now())} if "updatedAt" in row else row


def _visible_links(row: Row) -> Iterable[str]:
    for field in ("accountId", "organizationId", "customObjectId", "meetingId", "surveyId"):
        if row.get(field):
            yield row[field]
    for field in ("accounts", "organizations", "customers"):
        for parent in row.get(field, ()):
            yield parent["id"]
