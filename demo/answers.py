"""Answers from the tables: dbt makes models of them, and three questions are put to those."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

import duckdb

from demo.processes import ROOT, DemoError, Row, logged, program, short

RowsByStream = Mapping[str, Sequence[Row]]
Rows = list[tuple[Any, ...]]
Figures = dict[Any, tuple[Any, ...]]

AT_RISK_BELOW: Final = 4
PROMOTERS_FROM, DETRACTORS_TO = 9, 6


@dataclass(frozen=True)
class Question:
    """A query whose first column is an id, and what it should answer about each."""

    title: str
    head: tuple[str, ...]
    sql: str
    expected: Callable[[RowsByStream, datetime], Figures]
    checked: tuple[int, ...]
    """The columns that are worked out from what the sandbox holds, too."""


def build(database: Path, log: Path, as_of: datetime) -> str:
    """Build the dbt package on the tables and test it; return dbt's last line."""
    variables = {
        "vitally_schema": "main",
        "vitally__using_vitally_sync_runs": True,
        "vitally__as_of": as_of.strftime("%Y-%m-%d %H:%M:%S"),
    }
    folders = ["--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt")]
    made = ROOT / "build" / "dbt"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DBT_")},
        "VITALLY_DBT_TARGET": "duckdb",
        "VITALLY_DBT_SCHEMA": "dbt",
        "VITALLY_DUCKDB_PATH": str(database),
        "DBT_TARGET_PATH": str(made),
        "DBT_LOG_PATH": str(made),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_USE_COLORS": "false",
    }
    command = [program("dbt"), "build", *folders, "--vars", json.dumps(variables)]
    code, said = logged(command, log, cwd=ROOT, env=environment)
    done = [line for line in said.splitlines() if "Done. PASS=" in line]
    if code or not done:
        msg = f"dbt ended with exit code {code}; all it said is in {short(log)}"
        raise DemoError(msg)
    return done[-1].partition("Done. ")[2]


def answers(
    database: Path, expected_rows: RowsByStream, as_of: datetime
) -> Iterator[tuple[Question, Rows]]:
    """Put the questions; an answer that the sandbox's own rows contradict ends the demo."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("SET search_path = 'dbt_vitally,dbt_stg_vitally'")
        for question in QUESTIONS:
            rows = connection.execute(question.sql).fetchall()
            found = {row[0]: tuple(row[column] for column in question.checked) for row in rows}
            wanted = question.expected(expected_rows, as_of)
            if not wanted or found != wanted:
                wrong = {key for key in found | wanted if found.get(key) != wanted.get(key)}
                msg = f"the answer to {question.title!r} is wrong about {len(wrong)} rows"
                raise DemoError(msg)
            yield question, [row[1:] for row in rows]


def _at_risk(expected_rows: RowsByStream, _now: datetime) -> Figures:
    return {
        row["id"]: (row["name"],)
        for row in expected_rows["accounts"]
        if not row["churnedAt"] and _poor(row)
    }


def _poor(account: Row) -> bool:
    health = account["healthScore"]
    return health is not None and health < AT_RISK_BELOW


def _nps(expected_rows: RowsByStream, _now: datetime) -> Figures:
    accounts = {row["id"]: [a["id"] for a in row["accounts"]] for row in expected_rows["users"]}
    votes = defaultdict(list)
    for row in expected_rows["nps_responses"]:
        if row["target"] != "organization" and row["score"] is not None:
            vote = (row["score"] >= PROMOTERS_FROM) - (row["score"] <= DETRACTORS_TO)
            for account in accounts.get(row["userId"], ()):
                votes[account].append(vote)
    return {key: (len(cast), _rounded(100 * sum(cast), len(cast))) for key, cast in votes.items()}


def _rounded(dividend: int, divisor: int) -> Decimal:
    """Divide as databases do, which round a half up."""
    return (Decimal(dividend) / divisor).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _workload(expected_rows: RowsByStream, now: datetime) -> Figures:
    accounts = Counter(row["csmId"] for row in expected_rows["accounts"] if not row["churnedAt"])
    still = [
        row for row in expected_rows["tasks"] if not row["archivedAt"] and not row["completedAt"]
    ]
    tasks = Counter(row["assignedToId"] for row in still)
    today = now.date().isoformat()
    late = Counter(
        row["assignedToId"] for row in still if row["dueDate"] and row["dueDate"][:10] < today
    )
    return {
        row["id"]: (accounts[row["id"]], tasks[row["id"]], late[row["id"]])
        for row in expected_rows["admins"]
        if accounts[row["id"]]
    }


QUESTIONS: Final = (
    Question(
        "Which accounts are at risk?",
        ("account", "health", "ARR", "CSM", "days since last touch"),
        """
        SELECT account_id, name, round(health_score, 1), round(arr)::BIGINT, csm_name,
            days_since_last_touch
        FROM vitally__account_enhanced WHERE is_at_risk ORDER BY arr DESC NULLS LAST, name
        """,
        _at_risk,
        (1,),
    ),
    Question(
        "What is the NPS of each account?",
        ("account", "answers", "promoters", "detractors", "NPS"),
        """
        SELECT account_id, account_name, answers_count, promoters_count, detractors_count,
            nps
        FROM vitally__account_nps WHERE answers_count > 0
        ORDER BY answers_count DESC, nps, account_name
        """,
        _nps,
        (2, 5),
    ),
    Question(
        "What is on the desk of each CSM?",
        ("CSM", "accounts", "ARR", "at risk", "open tasks", "overdue"),
        """
        SELECT admin_id, name, accounts_count, round(arr)::BIGINT, accounts_at_risk_count,
            open_tasks_count, overdue_tasks_count
        FROM vitally__team_member_metrics WHERE accounts_count > 0
        ORDER BY accounts_count DESC, name
        """,
        _workload,
        (2, 5, 6),
    ),
)
