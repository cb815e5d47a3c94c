"""The query of docs/runs.md that tells a quiet stream from a stuck one, in two databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import psycopg
import pytest

from harness.support import ROOT

QUERY = (ROOT / "docs" / "sql" / "sync_health.sql").read_text(encoding="utf-8")
TABLE = """CREATE TABLE vitally_sync_runs ("startedAt" TIMESTAMP, stream VARCHAR, records NUMERIC,
skipped NUMERIC, "bookmarkBefore" TIMESTAMP, "bookmarkAfter" TIMESTAMP)"""

Run = tuple[float, int, int, float | None, float | None]
"""Hours since it began, records, skipped, and hours since the bookmark before and after it."""

STREAMS: dict[str, tuple[str, list[Run]]] = {
    "news": ("fresh", [(2, 9, 0, None, 3), (1, 4, 0, 3, 1.5)]),
    "first": ("fresh", [(1, 9, 0, None, 900)]),
    "read_in_full": ("fresh", [(2, 7, 0, None, None), (1, 7, 0, None, None)]),
    # The last rows are read again in each run, and are no news.
    "unchanged": ("quiet", [(400, 9, 0, None, 500), (200, 3, 0, 500, 500), (1, 3, 0, 500, 500)]),
    "always_empty": ("quiet", [(2, 0, 0, None, None), (1, 0, 0, None, None)]),
    "stopped": ("no run", [(30, 9, 0, None, 31), (4, 9, 0, 31, 5)]),
    "refused": ("stuck", [(2, 9, 0, None, 3), (1, 0, 1, 3, 3)]),
    "refused_from_the_start": ("stuck", [(1, 0, 1, None, None)]),
    "in_part": ("incomplete", [(2, 9, 0, None, 3), (1, 8, 1, 3, 2)]),
    "recovered": ("fresh", [(2, 0, 1, None, None), (1, 8, 0, None, 2)]),
    "emptied": ("emptied", [(2, 7, 0, None, None), (1, 0, 0, None, None)]),
    "filled_again": (
        "fresh",
        [(3, 7, 0, None, None), (2, 0, 0, None, None), (1, 7, 0, None, None)],
    ),
}


def rows() -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC).replace(tzinfo=None)

    def ago(hours: float | None) -> datetime | None:
        return None if hours is None else now - timedelta(hours=hours)

    for stream, (_, runs) in STREAMS.items():
        for began, records, skipped, before, after in runs:
            yield ago(began), stream, records, skipped, ago(before), ago(after)


def found_by(ask: Callable[[str], list[tuple[Any, ...]]]) -> dict[str, str]:
    return {row[1]: row[0] for row in ask(QUERY)}


WANTED = {stream: status for stream, (status, _) in STREAMS.items()}


def test_duckdb_tells_a_quiet_stream_from_a_stuck_one() -> None:
    with duckdb.connect() as database:
        database.execute(TABLE)
        database.executemany(
            "INSERT INTO vitally_sync_runs VALUES (?, ?, ?, ?, ?, ?)", list(rows())
        )
        assert found_by(lambda query: database.execute(query).fetchall()) == WANTED


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_postgres_tells_a_quiet_stream_from_a_stuck_one(
    zone: str, make_database: Callable[[], str]
) -> None:
    with psycopg.connect(make_database(), options=f"-c timezone={zone}") as database:
        database.execute(TABLE)
        with database.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO vitally_sync_runs VALUES (%s, %s, %s, %s, %s, %s)", list(rows())
            )
        assert found_by(lambda query: database.execute(query.encode()).fetchall()) == WANTED
