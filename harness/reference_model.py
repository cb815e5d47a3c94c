"""What tables mean: which records there have to be after all their rows, and what they say.

Written apart from the target, and a row after the other, where the target has batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.tables import BY_EMAIL, KEYLESS, KINDS, LATE, Row

LINKS = frozenset({"accountExternalIds", "participants"})
"""Columns whose links are added to those that rows before have named."""
Name = tuple[str, str]
"""The stream of a record, without `LATE`, and its key."""


@dataclass
class Record:
    """A record as the rows have it.

    ``said`` has the columns with known values; ``there`` and ``archived`` are None where they depend on
    which rows were in one batch.
    """

    said: Row = field(default_factory=dict)
    there: bool | None = False
    archived: bool | None = False


@dataclass
class ReferenceModel:
    """The records, the projects without a key, and the rows that cannot be written."""

    records: dict[Name, Record] = field(default_factory=dict)
    keyless: dict[str, int] = field(default_factory=dict)
    bad: set[Name] = field(default_factory=set)

    def take(self, said: Iterable[Row], *, deletes: bool, cap: int, nulls: str) -> None:
        """Read an input to its end."""
        going: set[Name] = set()
        new: set[Name] = set()
        touched: dict[Name, set[str]] = {}
        for message in said:
            if message["type"] != "RECORD":
                continue
            stream, row = message["stream"], message["record"]
            if stream == KEYLESS:
                self.keyless[row["name"]] = self.keyless.get(row["name"], 0) + 1
                continue
            name = _name(stream, row)
            if name[1].endswith("-bad"):
                self.bad.add(name)
                continue
            record = self.records.setdefault(name, Record())
            if row.get("_deleted") or row.get("_sdc_deleted_at"):
                if deletes:
                    going.add(name)
                    self._forget(record, touched.pop(name, set()))
                continue
            if name in going and stream != name[0]:
                continue
            going.discard(name)
            before = record.there
            columns = self._row(name, record, row, update=stream != name[0], nulls=nulls)
            touched.setdefault(name, set()).update(columns)
            if record.there and not before:
                new.add(name)
        for name in going:
            self._delete(name, self.records[name], new=name in new, cap=cap)

    def _row(self, name: Name, record: Record, row: Row, *, update: bool, nulls: str) -> set[str]:
        """Read a row that is no delete; return the columns that it may have changed."""
        if record.archived is not False:
            if record.archived is None:
                record.there, record.said = None, {}
            return set()
        said = dict(_said(name[0], row, nulls))
        if update and not record.there:
            # In a second run over the same rows it may be there, and then this counts.
            self._forget(record, set(said))
            return set()
        record.there = True
        for column in LINKS & said.keys() & record.said.keys():
            said[column] = [
                *record.said[column],
                *(v for v in said[column] if v not in record.said[column]),
            ]
        record.said |= said
        return set(said)

    @staticmethod
    def _forget(record: Record, columns: set[str]) -> None:
        record.said = {n: v for n, v in record.said.items() if n not in columns}

    @staticmethod
    def _delete(name: Name, record: Record, *, new: bool, cap: int) -> None:
        """Forget a record; a new one may have been written and deleted, or never written."""
        if cap:
            if record.archived is False and KINDS[name[0]].archives and record.there is not False:
                record.archived = None if new or record.there is None else True
            record.there, record.said = False, {}
        elif new:
            record.there, record.said = None, {}


def _name(stream: str, row: Row) -> Name:
    if stream == BY_EMAIL:
        return "users", f"users-{plain_email(row['email']).partition('@')[0].removeprefix('u')}"
    base = stream.removeprefix(LATE)
    return base, str(row[KINDS[base].key])


def plain_email(email: str) -> str:
    """Write an e-mail without what does not count."""
    return email.strip().lower()


def _said(base: str, row: Row, nulls: str) -> Iterator[tuple[str, Any]]:
    kind = KINDS[base]
    for name, value in row.items():
        if name == "traits":
            for trait, each in value.items():
                if each is not None or nulls == "clear":
                    yield f"traits.{trait}", each
        elif name == "userEmail":
            yield (
                "userExternalId",
                f"users-{plain_email(value).partition('@')[0].removeprefix('u')}",
            )
        elif name != kind.key and (value is not None or nulls == "clear"):
            yield name, value
