"""Numbers of the team, of users and of days, worked out from the sandbox's own truth."""

from __future__ import annotations

from collections import Counter

from tests.dbt.answers import Answer, Truth, moment
from tests.dbt.warehouses import even


def of_the_team(truth: Truth) -> Answer:
    """Each member's open, overdue and completed tasks, open projects and notes."""
    wanted = []
    for key in truth.names:
        tasks = [task for task in truth.live("tasks") if task["assignedToId"] == key]
        wanted.append(
            (
                key,
                sum(map(truth.is_open, tasks)),
                sum(map(truth.is_overdue, tasks)),
                sum(task["completedById"] == key for task in truth.live("tasks")),
                sum(
                    project["ownedByVitallyUserId"] == key and not truth.is_done(project)
                    for project in truth.live("projects")
                ),
                sum(note["authorId"] == key for note in truth.live("notes")),
            )
        )
    return wanted


def of_users(truth: Truth) -> Answer:
    """Each user's accounts, organizations, answers and meetings so far."""
    asked = Counter(
        row["userId"] for row in truth.rows("nps_responses") if row["score"] is not None
    )
    met: Counter[str] = Counter()
    for meeting in truth.live("meetings"):
        start = moment(meeting["startDateTime"] or f"{meeting['startDate']}T00:00:00Z")
        if start and start <= truth.now:
            met.update({person.get("userId") for person in meeting["participants"]})
    return [
        (
            row["id"],
            len(row["accounts"]),
            len(row["organizations"]),
            asked[row["id"]],
            met[row["id"]],
        )
        for row in truth.rows("users")
    ]


def of_days(*truths: Truth) -> Answer:
    """Each account's health on the days of these truths."""
    return [
        (
            key,
            truth.today,
            even(account["healthScore"]),
            int(key[-4:], 16) % 5 != 4,
            even(account["mrr"]),
            truth.churned(account),
        )
        for truth in truths
        for key, account in truth.accounts.items()
    ]
