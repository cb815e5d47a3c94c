"""A temporary database for the records that a run has read, so that memory does not grow with them."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from vitally_api import VitallyError

CACHE = 8_000
"""Kilobytes in memory; with four times as much, a million records take as long."""
AT_ONCE = 500
"""Values in one query; SQLite takes 999 in its oldest releases."""
NO_ROOM = (
    "What the run keeps in a temporary file cannot be written or read ({}): set TMPDIR to a folder "
    "that has room."
)
TABLES = (
    "CREATE TABLE records (number INTEGER PRIMARY KEY, planned INTEGER, raw BLOB)",
    "CREATE TABLE keys (hash INTEGER, number INTEGER, PRIMARY KEY (hash, number)) WITHOUT ROWID",
    "CREATE TABLE remembered (hash INTEGER PRIMARY KEY, value)",
)
FIND = "SELECT hash, number, raw FROM keys JOIN records USING (number) WHERE hash IN ({})"
KNOWN = "SELECT hash FROM keys WHERE hash IN ({})"
OF_SCOPE = (
    "SELECT number, raw FROM records WHERE number > ? AND number < ? AND planned >= ? "
    "ORDER BY number LIMIT ?"
)
SCOPE = 1 << 32
"""How far the numbers of two scopes are apart: the records of one stand together."""
Keys = Sequence[Hashable]
Key = TypeVar("Key", bound=Hashable)


class Store:
    """Records as bytes by their keys, and single values by a key; for any thread.

    A key is any value that can be hashed. Only the 64 bits of its hash are kept, so that callers check
    that a record is the one they asked for.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._scopes = itertools.count(1)
        # SQLite gives a database without a name a file that goes with the process, whatever ends it.
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for line in (
            "PRAGMA journal_mode = OFF",
            f"PRAGMA cache_size = -{CACHE}",
            *TABLES,
            "BEGIN",
        ):
            self._query(line)

    def _query(self, sql: str, values: Sequence[Any] = (), *, rows: bool = False) -> list[Any]:
        """Run a statement once, or for each of ``rows``; return what it finds."""
        try:
            with self._lock:
                run = self._db.executemany if rows else self._db.execute
                return run(sql, values).fetchall()
        except sqlite3.Error as error:
            raise VitallyError(NO_ROOM.format(error)) from None

    def _in_parts(self, sql: str, hashes: Sequence[int]) -> Iterator[Any]:
        for at in range(0, len(hashes), AT_ONCE):
            part = hashes[at : at + AT_ONCE]
            yield from self._query(sql.format(",".join("?" * len(part))), part)

    def new_scope(self) -> int:
        """Return a number for a new group of records, such as those of one list."""
        return next(self._scopes)

    def add(
        self, scope: int, records: Iterable[tuple[bytes, Keys]], *, planned: bool = False
    ) -> None:
        """Keep records, each with its keys; ``planned`` marks records that a dry run would create."""
        first = scope * SCOPE
        numbered = [(first + next(self._numbers), raw, keys) for raw, keys in records]
        rows = [(number, planned, raw) for number, raw, _ in numbered]
        self._query("INSERT INTO records VALUES (?, ?, ?)", rows, rows=True)
        self.add_keys((key, number) for number, _, keys in numbered for key in keys)

    def add_keys(self, keys: Iterable[tuple[Hashable, int]]) -> None:
        """Keep further keys of records, by their numbers."""
        rows = [(hash(key), number) for key, number in keys]
        self._query("INSERT OR IGNORE INTO keys VALUES (?, ?)", rows, rows=True)

    def remove(self, number: int, keys: Keys) -> None:
        """Forget a record, which has these keys."""
        self._query("DELETE FROM records WHERE number = ?", (number,))
        rows = [(hash(key), number) for key in keys]
        self._query("DELETE FROM keys WHERE hash = ? AND number = ?", rows, rows=True)

    def find(self, key: Hashable) -> list[tuple[int, bytes]]:
        """Return number and bytes of the records that have a key, in the order in which they came."""
        return [(number, raw) for _, number, raw in self._query(FIND.format("?"), (hash(key),))]

    def find_many(self, keys: Collection[Key]) -> dict[Key, list[bytes]]:
        """Return the records by key; leave out keys without records."""
        by_hash = {hash(key): key for key in keys}
        found: dict[Key, list[bytes]] = {}
        for hash_, _, raw in self._in_parts(FIND, list(by_hash)):
            found.setdefault(by_hash[hash_], []).append(raw)
        return found

    def known(self, keys: Collection[Key]) -> set[Key]:
        """Return those keys that some record has."""
        by_hash = {hash(key): key for key in keys}
        return {by_hash[hash_] for (hash_,) in self._in_parts(KNOWN, list(by_hash))}

    def all(self, scope: int, *, planned: bool = False) -> Iterator[tuple[int, bytes]]:
        """Yield number and bytes of all records of a scope, or of the ``planned`` ones."""
        last, end = scope * SCOPE, (scope + 1) * SCOPE
        while rows := self._query(OF_SCOPE, (last, end, planned, AT_ONCE)):
            yield from rows
            last = rows[-1][0]

    def remember(self, key: Hashable, value: str | int | bytes | None = 1) -> None:
        """Keep a value under a key, in place of the one before; None for no value."""
        self._query("INSERT OR REPLACE INTO remembered VALUES (?, ?)", (hash(key), value))

    def recall(self, key: Hashable) -> Any:
        """Return the value under a key; None if there is none."""
        found = self._query("SELECT value FROM remembered WHERE hash = ?", (hash(key),))
        return found[0][0] if found else None

    def close(self) -> None:
        """Delete the database."""
        with self._lock:
            self._db.close()
