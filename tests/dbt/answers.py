"""What the first twelve questions have for answers, worked out from the sandbox's own truth."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from harness.support import Row
from sandbox import World

Answer = list[tuple[Any, ...]]

POOR, GOOD = 4, 7


def moment(text: str | None) -> datetime | None:
    """A moment of the API as the warehouses store it: in UTC, without a zone."""
    return datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) if text else None


def month(text: str) -> date:
    """The first day of the month of a moment."""
    return date.fromisoformat(text[:7] + "-01")


def rate(scores: Iterable[int]) -> float | None:
    """The net promoter score of some scores."""
    votes = [(score >= 9) - (score <= 6) for score in scores]
    return rounded(Decimal(100 * sum(votes)) / len(votes), "0.1") if votes else None


def rounded(value: Decimal, places: str) -> float:
    """A number rounded as databases do it, half up."""
    return float(value.quantize(Decimal(places), ROUND_HALF_UP))


class ExpectedData:
    """The rows of a world, and what follows from them."""

    def __init__(self, world: World, now: datetime | None = None) -> None:
        self._world = world
        self.now = (now or world.clock.now()).replace(tzinfo=None, microsecond=0)
        self.today = self.now.date()
        self.accounts = {row["id"]: row for row in self.rows("accounts")}
        self.names = {row["id"]: row["name"] for row in self.rows("admins")}
        self.before: ExpectedData | None = None
        """What was true when the history began."""

    def rows(self, stream: str) -> list[Row]:
        """The rows of a stream."""
        return list(self._world.expected_rows(stream).values())

    def live(self, stream: str) -> list[Row]:
        """The rows of a stream that are not archived."""
        return [row for row in self.rows(stream) if not row["archivedAt"]]

    def churned(self, account: Row) -> bool:
        """Return True if an account has churned, not only will."""
        when = moment(account["churnedAt"])
        return bool(when and when <= self.now)

    def at_risk(self, account: Row) -> bool:
        """Return True if an account is at risk."""
        health = account["healthScore"]
        return not self.churned(account) and health is not None and health < POOR

    def is_open(self, task: Row) -> bool:
        """Return True if a task is open and not archived."""
        return not task["completedAt"]

    def is_overdue(self, task: Row) -> bool:
        """Return True if a task is overdue."""
        due = task["dueDate"]
        return self.is_open(task) and bool(due) and date.fromisoformat(due[:10]) < self.today

    def is_done(self, project: Row) -> bool:
        """Return True if a project is completed."""
        return bool(project["actualCompletionDate"])

    def touches(self) -> dict[str, tuple[datetime, str]]:
        """The last contact with each account; of two at a time, the first in the alphabet."""
        found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)

        def add(account: str | None, kind: str, text: str | None) -> None:
            when = moment(text)
            if account and account in self.accounts and when and when <= self.now:
                found[account].append((when, kind))

        for account in self.accounts.values():
            add(account["id"], "message received", account["lastInboundMessageTimestamp"])
            add(account["id"], "message sent", account["lastOutboundMessageTimestamp"])
        for message in self.rows("messages"):
            kind = "message sent" if message["type"] == "outbound" else "message received"
            for key in message["conversationAccountIds"]:
                add(key, kind, message["timestamp"])
        for note in self.live("notes"):
            add(note["accountId"], "note", note["noteDate"])
        for meeting in self.live("meetings"):
            if meeting["externalStatus"] != "cancelled":
                start = meeting["startDateTime"] or f"{meeting['startDate']}T00:00:00Z"
                for account in meeting["accounts"]:
                    add(account["id"], "meeting", start)
        return {
            key: min(touches, key=lambda touch: (-touch[0].timestamp(), touch[1]))
            for key, touches in found.items()
        }


def health_by_segment(expected_rows: ExpectedData) -> Answer:
    groups = defaultdict(list)
    for account in expected_rows.accounts.values():
        for segment in account["segments"]:
            if not expected_rows.churned(account):
                groups[segment["name"]].append(account["healthScore"])
    return [
        (name, len(scores), mean(scores), sum(s is not None and s < POOR for s in scores))
        for name, scores in groups.items()
    ]


def mean(values: Iterable[float | None]) -> float | None:
    """The average of what is there."""
    known = [Decimal(str(value)) for value in values if value is not None]
    return rounded(sum(known) / Decimal(len(known)), "0.01") if known else None


def renewals(expected_rows: ExpectedData) -> Answer:
    groups = defaultdict(list)
    for account in expected_rows.accounts.values():
        if account["nextRenewalDate"] and not expected_rows.churned(account):
            groups[month(account["nextRenewalDate"])].append(account)
    return [
        (
            due,
            len(accounts),
            arr(accounts),
            sum(map(expected_rows.at_risk, accounts)),
            arr(filter(expected_rows.at_risk, accounts)),
        )
        for due, accounts in groups.items()
    ]


def arr(accounts: Iterable[Row]) -> float:
    """The annual recurring revenue of some accounts."""
    return round(sum(12 * float(account["mrr"] or 0) for account in accounts), 4)


def nps_per_account(expected_rows: ExpectedData) -> Answer:
    about = {row["id"]: row["target"] for row in expected_rows.rows("nps_responses")}
    groups = defaultdict(list)
    for response in expected_rows.rows("account_nps_responses"):
        if about[response["id"]] == "accounts" and response["score"] is not None:
            groups[response["parentAccountId"]].append(response["score"])
    return [
        (
            expected_rows.accounts[key]["name"],
            len(scores),
            sum(score >= 9 for score in scores),
            sum(score in (7, 8) for score in scores),
            sum(score <= 6 for score in scores),
            rate(scores),
        )
        for key, scores in groups.items()
    ]


def last_touch(expected_rows: ExpectedData) -> Answer:
    touches = expected_rows.touches()
    return [
        (
            account["name"],
            expected_rows.names.get(account["csmId"]),
            touches[key][1] if key in touches else None,
            touches[key][0] if key in touches else None,
            (expected_rows.today - touches[key][0].date()).days if key in touches else None,
        )
        for key, account in expected_rows.accounts.items()
        if not expected_rows.churned(account)
    ]


def workload(expected_rows: ExpectedData) -> Answer:
    answer = []
    for key, name in expected_rows.names.items():
        accounts = [
            account
            for account in expected_rows.accounts.values()
            if account["csmId"] == key and not expected_rows.churned(account)
        ]
        tasks = [task for task in expected_rows.live("tasks") if task["assignedToId"] == key]
        projects = [p for p in expected_rows.live("projects") if p["ownedByVitallyUserId"] == key]
        figures = (
            len(accounts),
            arr(accounts),
            sum(map(expected_rows.at_risk, accounts)),
            sum(map(expected_rows.is_open, tasks)),
            sum(map(expected_rows.is_overdue, tasks)),
            sum(not expected_rows.is_done(project) for project in projects),
        )
        if accounts:
            answer.append((name, *figures))
    return answer


def overdue_tasks(expected_rows: ExpectedData) -> Answer:
    return [
        (
            task["name"],
            expected_rows.accounts.get(task["accountId"], {}).get("name"),
            expected_rows.names.get(task["assignedToId"]),
            due,
            (expected_rows.today - due).days,
        )
        for task in expected_rows.live("tasks")
        if expected_rows.is_overdue(task)
        for due in [date.fromisoformat(task["dueDate"][:10])]
    ]


def notes_per_month(expected_rows: ExpectedData) -> Answer:
    counts = Counter(
        (note["accountId"], month(note["noteDate"]))
        for note in expected_rows.live("notes")
        if note["accountId"] in expected_rows.accounts
    )
    return [
        (expected_rows.accounts[key]["name"], when.year, when.month, count)
        for (key, when), count in counts.items()
    ]


def conversations_per_account(expected_rows: ExpectedData) -> Answer:
    counts = Counter(row["parentAccountId"] for row in expected_rows.rows("account_conversations"))
    return [(expected_rows.accounts[key]["name"], count) for key, count in counts.items()]


def message_volume(expected_rows: ExpectedData) -> Answer:
    counts = Counter((month(m["timestamp"]), m["type"]) for m in expected_rows.rows("messages"))
    return [
        (when.year, when.month, counts[when, "inbound"], counts[when, "outbound"])
        for when in {when for when, _ in counts}
    ]


def trait_as_column(expected_rows: ExpectedData) -> Answer:
    return [
        (
            account["name"],
            account["traits"].get("vitally.custom.tier"),
            moment(account["traits"].get("sfdc.Renew_Date__c")),
        )
        for account in expected_rows.accounts.values()
    ]


def projects_by_status(expected_rows: ExpectedData) -> Answer:
    late = Counter(
        project["id"]
        for task in expected_rows.live("tasks")
        if expected_rows.is_overdue(task)
        for project in task["projects"]
    )

    def status(project: Row) -> str:
        target = project["targetCompletionDate"]
        if expected_rows.is_done(project):
            return "completed"
        if target and date.fromisoformat(target) < expected_rows.today:
            return "late"
        return "in progress" if project["actualStartDate"] else "not started"

    groups = defaultdict(list)
    for project in expected_rows.live("projects"):
        groups[status(project)].append(late[project["id"]])
    return [(name, len(overdue), sum(overdue)) for name, overdue in groups.items()]


def churned(expected_rows: ExpectedData) -> Answer:
    return [
        (
            account["name"],
            moment(account["churnedAt"]),
            expected_rows.names.get(account["csmId"]),
            None if account["mrr"] is None else arr([account]),
        )
        for account in expected_rows.accounts.values()
        if expected_rows.churned(account)
    ]


ANSWERS: list[Callable[[ExpectedData], Answer]] = [
    health_by_segment,
    renewals,
    nps_per_account,
    last_touch,
    workload,
    overdue_tasks,
    notes_per_month,
    conversations_per_account,
    message_volume,
    trait_as_column,
    projects_by_status,
    churned,
]
"""In the order of docs/questions.md."""
