"""What the loader has made of it: tables counted, and compared with the sandbox."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

from tap_vitally.stream import VitallyStream
from tap_vitally.streams import STREAMS

ROOT: Final = Path(__file__).parent.parent
DATABASE: Final = ROOT / "output" / "vitally.duckdb"
SHOWN: Final[Mapping[str, type[VitallyStream]]] = {
    stream.name: stream for stream in STREAMS if stream.selected_by_default
}
SYNC_RUNS: Final = "vitally_sync_runs"

Row = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        rows: Rows now in the tables, by stream.
        records: Records read, by stream.
        requests: Requests made, by stream.
        seconds: Seconds that the tap spent in each stream.
        total_requests: Requests that the sandbox saw.
        total_seconds: Seconds that the whole command took.
    """

    rows: Mapping[str, int]
    records: Mapping[str, int]
    requests: Mapping[str, int]
    seconds: Mapping[str, float]
    total_requests: int
    total_seconds: float


def short(path: Path) -> Path:
    """Name a file of this repository from its top."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def count(database: duckdb.DuckDBPyConnection, stream: str) -> int:
    """Count the rows of a table; no table is no rows."""
    try:
        found = database.execute(f'SELECT count(*) FROM "{stream}"').fetchone()  # noqa: S608
    except duckdb.CatalogException:
        return 0
    return int(found[0]) if found else 0


def first_report(report: Report) -> str:
    """Draw what the first run did."""
    rows = [
        (
            name,
            f"{report.rows[name]:,}",
            str(report.requests.get(name, 0)),
            f"{report.seconds.get(name, 0):.2f}",
        )
        for name in SHOWN
    ]
    total = (f"{sum(report.rows.values()):,}", *totals(report))
    return table(("stream", "rows in DuckDB", "requests", "seconds"), rows, ("all", *total))


def second_report(report: Report, before: Path) -> str:
    """Draw what the second run read and wrote."""
    rows = []
    sums: Counter[str] = Counter()
    with duckdb.connect(str(DATABASE), read_only=True) as database:
        database.execute(f"ATTACH '{before}' AS before (READ_ONLY)")
        for name in SHOWN:
            new = report.rows[name] - count(database, f'before"."main"."{name}')
            own = ", ".join(f'"{column}"' for column in columns_of(name))
            sql = f'SELECT {own} FROM "{name}" EXCEPT SELECT {own} FROM before.main."{name}"'  # noqa: S608
            changed = len(database.execute(sql).fetchall())
            figures = {
                "rows": report.rows[name],
                "read": report.records.get(name, 0),
                "new": new,
                "changed": changed - new,
                "requests": report.requests.get(name, 0),
            }
            sums.update(figures)
            seconds = f"{report.seconds.get(name, 0):.2f}"
            rows.append((name, *(f"{figure:,}" for figure in figures.values()), seconds))
    head = ("stream", "rows in DuckDB", "records read", "rows new", "rows changed", "requests")
    all_figures = [f"{sums[name]:,}" for name in ("rows", "read", "new", "changed")]
    return table((*head, "seconds"), rows, ("all", *all_figures, *totals(report)))


def totals(report: Report) -> tuple[str, str]:
    """Return all requests, the one that proves the key included, and all seconds."""
    return f"{report.total_requests:,}", f"{report.total_seconds:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]) -> str:
    """Draw a table."""
    lines = [head, *rows, total]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    drawn = [
        "  " + "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    rule = "  " + "-" * (len(drawn[0]) - 2)
    return "\n".join([drawn[0], rule, *drawn[1:-1], rule, drawn[-1]])


def differences(
    database: duckdb.DuckDBPyConnection, stream: str, truth: Sequence[Row]
) -> Iterator[str]:
    """Compare a table with what it should hold."""
    keys = SHOWN[stream].primary_keys
    kinds = {
        name.lower(): declared for name, declared in SHOWN[stream].schema["properties"].items()
    }
    try:
        cursor = database.execute(f'SELECT * FROM "{stream}"')  # noqa: S608
    except duckdb.CatalogException:
        cursor = database.execute("SELECT NULL WHERE false")
    columns = [column[0] for column in cursor.description or ()]
    found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    loaded = {tuple(row[key.lower()] for key in keys): row for row in found}
    wanted = {tuple(row[key] for key in keys): row for row in truth}
    for key in loaded.keys() - wanted.keys():
        yield f"{stream} {'/'.join(key)} should not be there"
    for key, row in wanted.items():
        if key not in loaded:
            yield f"{stream} {'/'.join(key)} is missing"
            continue
        for name, value in row.items():
            column = name.lower()
            kind = kinds.get(column)
            if kind and from_duckdb(loaded[key][column], kind) != as_loaded(value, kind):
                yield f"{stream} {'/'.join(key)} has another {name}"


def columns_of(stream: str) -> dict[str, Row]:
    """Return what each column of a table is declared as; those of the loader are not among them."""
    return {name.lower(): how for name, how in SHOWN[stream].schema["properties"].items()}


def from_duckdb(value: Any, declared: Mapping[str, Any]) -> Any:
    """Undo what the target did to a value to fit it into a column."""
    if isinstance(value, str) and {"array", "object"} & set(declared["type"]):
        return json.loads(value)
    return value


def as_loaded(value: Any, declared: Mapping[str, Any]) -> Any:
    """Do to a value what the target does: moments lose their zone, empty text is NULL."""
    if isinstance(value, str):
        if declared.get("format") == "date-time":
            return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
        return value or None
    return value


def farewell() -> str:
    """Say how to go on."""
    look = (
        f"import duckdb; db = duckdb.connect('{short(DATABASE)}', read_only=True); "
        "db.sql('SHOW TABLES').show()"
    )
    newest = "SELECT name, mrr, healthscore, churnedat FROM accounts ORDER BY updatedat DESC"
    runs = f"FROM {SYNC_RUNS} ORDER BY startedat, stream"
    return f"""
The tables are in {short(DATABASE)}. To look into them:

  {short(Path(sys.executable))} -i -c "{look}"

and then, for example:

  db.sql('{newest}')
  db.sql('{runs}')
"""
