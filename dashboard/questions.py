"""The questions of the documentation, and what the models in a DuckDB file answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

PAGE: Final = Path(__file__).parents[1] / "docs" / "questions.md"
QUESTION: Final = re.compile(
    r"^## (.+?)\n\n```sql\n(.*?)```\n(.*?)(?=^## |\Z)", re.DOTALL | re.MULTILINE
)
AT_RISK: Final = """\
SELECT name, csm_name, health_score, round(arr) AS arr, next_renewal_at, days_since_last_touch
FROM vitally__account_enhanced
WHERE is_at_risk AND NOT is_deleted
ORDER BY arr DESC NULLS LAST, name;
"""
FIGURES: Final = """\
SELECT
    count(*) AS customers,
    round(sum(arr)) AS "annual revenue",
    count(*) FILTER (WHERE is_at_risk) AS "at risk",
    round(sum(arr) FILTER (WHERE is_at_risk)) AS "revenue at risk",
    round(avg(health_score), 1) AS "average health"
FROM vitally__account_enhanced
WHERE NOT is_churned AND NOT is_deleted;
"""

NO_MODELS: Final = (
    "holds no models of the dbt package: run make demo, or make dbt on your own tables."
)

Row = dict[str, Any]


class Unusable(Exception):
    """A file is no DuckDB file, or holds no models of the dbt package."""


@dataclass(frozen=True)
class Answer:
    """A question, its query, a remark of one paragraph, and the rows that answer it."""

    title: str
    query: str
    remark: str
    columns: Sequence[str]
    rows: Sequence[Row]


def answers(database: Path) -> Iterator[Answer]:
    """Yield the answer to who is at risk, and to each question of the documentation."""
    with _opened(database) as connection:
        yield _answer(connection, "Who is at risk?", AT_RISK, "")
        for title, query, text in QUESTION.findall(PAGE.read_text(encoding="utf-8")):
            remark = re.sub(r"\[(.+?)\]\(.+?\)|`", r"\1", text.strip().partition("\n\n")[0])
            yield _answer(connection, title, query, remark)


def figures(database: Path) -> Row:
    """Return the numbers of all customers, by what they are called."""
    with _opened(database) as connection:
        return dict(_answer(connection, "", FIGURES, "").rows[0])


def _opened(database: Path) -> duckdb.DuckDBPyConnection:
    """Open a file that dbt has built; raise `Unusable` with the reason if that cannot be."""
    if not database.exists():
        raise Unusable(NO_MODELS)
    try:
        connection = duckdb.connect(str(database), read_only=True)
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0]
        msg = f"cannot be opened by DuckDB {duckdb.__version__}: {reason}"
        raise Unusable(msg) from error
    found = connection.execute(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'vitally__account_enhanced'"
    ).fetchone()
    if not found:
        raise Unusable(NO_MODELS)
    prefix = found[0].removesuffix("vitally")
    connection.execute(f"SET search_path = '{prefix}vitally,{prefix}stg_vitally'")
    return connection


def _answer(connection: duckdb.DuckDBPyConnection, title: str, query: str, remark: str) -> Answer:
    result = connection.execute(query)
    columns = [column[0] for column in result.description or ()]
    rows = [dict(zip(columns, map(_plain, row), strict=True)) for row in result.fetchall()]
    return Answer(title, query.strip(), remark, columns, rows)


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: moments to the day, decimals as numbers."""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else value
