"""Numbers of the team, of users and of days, worked out from the sandbox's own truth."""

from __future__ import annotations

from collections import Counter

from tests.dbt.answers import Answer, ExpectedData, moment
from tests.dbt.warehouses import even


def of_the_team(expected_rows: ExpectedData) -> Answer:
    """Each member's open, overdue and completed tasks, open projects and notes."""
    wanted = []
    for key in expected_rows.names:
        tasks = [task for task in expected_rows.live("tasks") if task["assignedToId"] == key]
        wanted.append(
            (
                key,
                sum(map(expected_rows.is_open, tasks)),
                sum(map(expected_rows.is_overdue, tasks)),
                sum(task["completedById"] == key for task in expected_rows.live("tasks")),
                sum(
                    project["ownedByVitallyUserId"] == key and not expected_rows.is_done(project)
                    for project in expected_rows.live("projects")
                ),
                sum(note["authorId"] == key for note in expected_rows.live("notes")),
            )
        )
    return wanted


def of_users(expected_rows: ExpectedData) -> Answer:
    """Each user's accounts, organizations, answers and meetings so far."""
    asked = Counter(
        row["userId"] for row in expected_rows.rows("nps_responses") if row["score"] is not None
    )
    met: Counter[str] = Counter()
    for meeting in expected_rows.live("meetings"):
        start = moment(meeting["startDateTime"] or f"{meeting['startDate']}T00:00:00Z")
        if start and start <= expected_rows.now:
            met.update({person.get("userId") for person in meeting["participants"]})
    return [
        (
            row["id"],
            len(row["accounts"]),
            len(row["organizations"]),
            asked[row["id"]],
            met[row["id"]],
        )
        for row in expected_rows.rows("users")
    ]


def of_days(*truths: ExpectedData) -> Answer:
    """Each account's health on the days of these truths."""
    return [
        (
            key,
            expected_rows.today,
            even(account["healthScore"]),
            int(key[-4:], 16) % 5 != 4,
            even(account["mrr"]),
            expected_rows.churned(account),
        )
        for expected_rows in truths
        for key, account in expected_rows.accounts.items()
    ]
