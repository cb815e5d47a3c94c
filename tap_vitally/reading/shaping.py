"""Rows become records: with what the list tells of them, cut down, fitted to their types."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tap_vitally.reading.conform import Conformer
from tap_vitally.reading.declaration import Record, Resource
from tap_vitally.reading.page import Context
from vitally_api import printable

EMBEDDED = (
    "account",
    "accounts",
    "customer",
    "customers",
    "organization",
    "organizations",
    "user",
    "users",
)
REFERENCE = ("id", "externalId", "name")


class Shaper:
    """Makes the records of one stream; it counts rows without a key, and tells of each oddity once."""

    def __init__(
        self,
        resource: Resource,
        schema: Mapping[str, Any],
        embedded_objects: str,
        logger: logging.Logger,
        skip: Callable[[str, Context], None],
    ) -> None:
        self._resource = resource
        self._cut = EMBEDDED if embedded_objects == "reference" else ()
        self._logger = logger
        self._skip = skip
        self._told: set[tuple[str, str]] = set()
        self._conformer = Conformer(schema, self._report)

    def records(self, rows: Iterable[Record], context: Context) -> list[Record]:
        """Make records of rows as the API sent them, without those that lack their key."""
        shape, keys = self._resource.shape, self._resource.primary_keys
        records = []
        for row in rows:
            record = {**row, **context.inject}
            if shape:
                record = shape(record)
            for name in self._cut:
                if record.get(name):
                    record[name] = _reference(record[name])
            if None in map(record.get, keys):
                self._skip("a record without its key", context)
                continue
            self._conformer.fit(record)
            records.append(record)
        return records

    def _report(self, name: str, what: str) -> None:
        if (name, what) not in self._told:
            self._told.add((name, what))
            self._logger.warning("Property '%s' %s.", printable(name), what)


def _reference(value: Any) -> Any:
    """Cut an embedded record, or a list of them, down to what identifies it."""
    if isinstance(value, list):
        return [_reference(item) for item in value]
    if isinstance(value, dict):
        return {name: value[name] for name in REFERENCE if name in value}
    return value
