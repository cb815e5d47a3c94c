"""Convert rows to records: add values of their list, reduce embedded copies, convert types."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from tap_vitally.sync.batches import ListRequest
from tap_vitally.sync.coerce import Coercer
from tap_vitally.sync.linked_ids import COPIES, PLACES, links_in
from tap_vitally.sync.resource import Record, Resource
from tap_vitally.sync.summary import StreamMetrics
from vitally_api.values import identity_of

REFERENCE = ("id", "externalId", "name")
TRAIT_PREFIX = "trait_"
"""How the name of every column begins that holds one trait."""


class RecordMapper:
    """Makes the records of one stream.

    ``schema`` is the one in force, which an older catalog may have made; ``masked`` are properties
    that a catalog or a stream map names.
    """

    def __init__(
        self,
        resource: Resource,
        schema: Mapping[str, Any],
        embedded_objects: str,
        metrics: StreamMetrics,
        masked: Collection[str] = (),
    ) -> None:
        self._resource, self._embedded, self._metrics = resource, embedded_objects, metrics
        own = resource.schema["properties"]
        self._every_link = links_in(own)
        self._links = [link for link in self._every_link if link.is_bound]
        self._ids = {
            key
            for key in resource.primary_keys
            if "string" in (how := schema["properties"].get(key, {})).get("type", ())
            and "format" not in how
        }
        self._traits = trait_columns_in(schema)
        self._coercer = Coercer(schema, metrics, own, masked, self._traits)

    def records(self, rows: Iterable[Any], context: ListRequest) -> list[Record]:
        """Convert the rows of a list; skip, and count, those that are not objects or have no key."""
        shape, inject = self._resource.shape, context.inject
        blank = self._coercer.blank
        records = []
        for row in rows:
            if not isinstance(row, dict):
                self._metrics.skip("a row that is no record", context.label)
                continue
            record = {**blank, **row, **inject}
            for name in inject.keys() & row.keys() if inject else ():
                if row[name] is not None and row[name] != record[name]:
                    what = "of the API gave way to the id of the list it is from"
                    self._metrics.report(name, what)
            records.append({**blank, **shape(record)} if shape else record)
        self._link(records)
        if self._traits:
            for record in records:
                fill_traits(record, self._traits)
        for key in self._ids:
            if not all(type(each) is str and each.strip() for each in _column(key, records)):
                for record in records:
                    record[key] = identity_of(record.get(key))
        records = self._with_key(records, "a record without its key", context)
        self._coercer.coerce(records)
        return self._with_key(records, "a record whose key does not fit the catalog", context)

    def _with_key(self, records: list[Record], reason: str, context: ListRequest) -> list[Record]:
        keys = self._resource.primary_keys
        if not any(None in _column(key, records) for key in keys):
            return records
        kept = [record for record in records if None not in map(record.get, keys)]
        for _ in range(len(records) - len(kept)):
            self._metrics.skip(reason, context.label)
        return kept

    def _link(self, records: Sequence[Record]) -> None:
        """Fill the columns with ids of linked records, and reduce copies as ``embedded_objects`` says."""
        blank = self._coercer.blank
        names = set(blank).union(*(record for record in records if len(record) > len(blank)))
        held = {n for n in PLACES & names if _column(n, records).count(None) < len(records)}
        for link in self._links:
            link.fill(records, held)
        if self._embedded == "full":
            return
        for record in records:
            for name in COPIES.intersection(record):
                if self._embedded == "reference":
                    record[name] = record[name] and _reference(record[name])
            if self._embedded == "none":
                for link in self._every_link:
                    if ids := link.ids_left(record):
                        record[link.array] = ids
                for name in COPIES.intersection(record):
                    del record[name]

    def tell_narrow_columns(self) -> None:
        """Log, at the end, the columns declared as dates whose values mostly had a time of day."""
        for name in self._metrics.too_narrow():
            self._metrics.report(
                name,
                "holds a time of day in most records, which is cut off: it is typed too narrowly. "
                "To keep the time, make its format date-time in the catalog",
            )


def _column(name: str, records: Iterable[Record]) -> list[Any]:
    return [record.get(name) for record in records]


def _reference(value: Any) -> Any:
    if isinstance(value, list):
        return [_reference(item) for item in value]
    if isinstance(value, dict):
        # What has nothing to refer to is kept whole.
        return {name: value[name] for name in REFERENCE if name in value} or value
    return value


def trait_columns_in(schema: Mapping[str, Any]) -> dict[str, str]:
    """Return the columns that hold one trait each, with its path, which is the column's ``title``.

    The path does not follow from the name: two paths may be equal in snake_case.
    """
    return {
        name: how["title"]
        for name, how in (schema.get("properties") or {}).items()
        if name.startswith(TRAIT_PREFIX) and how.get("title")
    }


def fill_traits(record: dict[str, Any], columns: Mapping[str, str]) -> None:
    """Put each trait in its column, and null where the record does not have it."""
    traits = record.get("traits")
    held = traits if isinstance(traits, dict) else {}
    for name, path in columns.items():
        record[name] = held.get(path)
