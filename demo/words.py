"""What the demo prints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import duckdb

from demo.meltano import Report
from demo.processes import short
from demo.tables import SHOWN, SYNC_RUNS, columns_of, count


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


def second_report(report: Report, now: Path, before: Path) -> str:
    """Draw what the second run read and wrote, by two copies of the database."""
    rows = []
    sums: Counter[str] = Counter()
    with duckdb.connect(str(now), read_only=True) as database:
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


def farewell(database: Path) -> str:
    """Say how to go on."""
    look = (
        f"import duckdb; db = duckdb.connect('{short(database)}', read_only=True); "
        "db.sql('SHOW TABLES').show()"
    )
    newest = "SELECT name, mrr, healthscore, churnedat FROM accounts ORDER BY updatedat DESC"
    runs = f"FROM {SYNC_RUNS} ORDER BY startedat, stream"
    return f"""
The tables are in {short(database)}. To look into them:

  {short(Path(sys.executable))} -i -c "{look}"

and then, for example:

  db.sql('{newest}')
  db.sql('{runs}')
"""
