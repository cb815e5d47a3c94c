"""What the demo prints."""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import duckdb

from demo.meltano import Report
from demo.processes import short
from demo.tables import SHOWN, SYNC_RUNS, columns_of, count

MOST_ROWS: Final = 8


def first_report(report: Report) -> str:
    """Draw what the first run did."""
    rows = [
        (
            name,
            f"{report.rows[name]:,}",
            str(report.requests.get(name, 0)),
            "",
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
            rows.append((name, *(f"{figure:,}" for figure in figures.values()), ""))
    head = ("stream", "rows in DuckDB", "records read", "rows new", "rows changed", "requests")
    all_figures = [f"{sums[name]:,}" for name in ("rows", "read", "new", "changed")]
    return table((*head, "seconds"), rows, ("all", *all_figures, *totals(report)))


def totals(report: Report) -> tuple[str, str]:
    """Return all requests, the one that proves the key included, and all seconds."""
    return f"{report.total_requests:,}", f"{report.total_seconds:.2f}"


def answer(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Draw the first rows of an answer."""
    observed = [[_cell(value) for value in row] for row in rows[:MOST_ROWS]]
    more = f"\n  and {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
    return f"{title}\n\n{table(head, observed)}{more}"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int | float | Decimal) else str(value)


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str] | None = None
) -> str:
    """Draw a table."""
    lines = [head, *rows, *([total] if total else [])]
    widths = [max(_width(line[column]) for line in lines) for column in range(len(head))]
    drawn = []
    for line in lines:
        gaps = [" " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        others = [gap + cell for gap, cell in zip(gaps[1:], line[1:], strict=True)]
        drawn.append("  " + "  ".join([line[0] + gaps[0], *others]))
    rule = "  " + "-" * (sum(widths) + 2 * len(widths) - 2)
    drawn.insert(1, rule)
    if total:
        drawn.insert(-1, rule)
    return "\n".join(drawn)


def _width(text: str) -> int:
    """Count the columns of a terminal that a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def farewell(database: Path, rows: Path) -> str:
    """Return how to go on."""
    look = (
        f"import duckdb; db = duckdb.connect('{short(database)}', read_only=True); "
        "db.sql('SHOW TABLES').show()"
    )
    health = "FROM dbt_vitally.vitally__account_enhanced ORDER BY health_score"
    newest = "SELECT name, mrr, healthscore, churnedat FROM accounts ORDER BY updatedat DESC"
    runs = f"FROM {SYNC_RUNS} ORDER BY startedat, stream"
    return f"""
The tables are in {short(database)}, and the rows that were written in {short(rows)}.
To look into the tables:

  {short(Path(sys.executable))} -i -c "{look}"

and then, for example:

  db.sql('{health}')
  db.sql('{newest}')
  db.sql('{runs}')

To see the answers as one page with plots: make dashboard
"""
