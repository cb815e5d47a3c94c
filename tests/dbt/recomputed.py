"""The models of a workspace worked out anew, row by row, from the records of the API."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from harness.support import Row
from tests.dbt.answers import moment
from tests.dbt.workspace import DAYS, Workspace

Rows = Iterator[Row]
"""Of a model, with the columns that are compared."""
Touch = tuple[str | None, str, datetime | None]


class Recomputed:
    """The records of a workspace on a day, and which of them are gone."""

    def __init__(self, workspace: Workspace, day: int) -> None:
        self.workspace = workspace
        self.now = DAYS[day]
        self.today = self.now.date()
        self._rows = (workspace.first, workspace.rows)[day]
        self.gone = workspace.gone[day]

    def all(self, stream: str) -> dict[str, Row]:
        return self._rows[stream]

    def live(self, stream: str) -> dict[str, Row]:
        """The records that are not deleted in Vitally."""
        return {
            key: row for key, row in self._rows[stream].items() if (stream, key) not in self.gone
        }

    def name(self, stream: str, key: str | None) -> str | None:
        return or_none(self._rows[stream].get(key or "", {}).get("name"))

    def names(self, stream: str, keys: Iterable[str]) -> str | None:
        """The names of records in their order, one for each record that has one."""
        return ", ".join(sorted(filter(None, (self.name(stream, key) for key in keys)))) or None

    def is_past(self, text: str | None) -> bool:
        at = moment(text)
        return at is not None and at <= self.now

    def links(self, row: Row, noun: str) -> set[str]:
        """What a record is linked to: the ids, or those of the objects where there are none."""
        return set(row[f"{noun}Ids"] or [each["id"] for each in row[f"{noun}s"] or ()])

    def live_links(self, row: Row, noun: str) -> set[str]:
        return {key for key in self.links(row, noun) if (f"{noun}s", key) not in self.gone}

    def conversation_accounts(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for message in self.all("messages").values():
            if message["conversationId"]:
                found[message["conversationId"]].update(message["conversationAccountIds"] or ())
        return found

    def start_of(self, meeting: Row) -> datetime | None:
        whole = meeting["startDate"]
        return moment(meeting["startDateTime"]) or (moment(f"{whole}T00:00:00Z") if whole else None)

    def is_open(self, task: Row) -> bool:
        return (
            not task["completedAt"]
            and not task["archivedAt"]
            and ("tasks", task["id"]) not in self.gone
        )

    def is_overdue(self, task: Row) -> bool:
        due = day_of(task["dueDate"])
        return self.is_open(task) and due is not None and due < self.today

    def at_risk(self, account: Row) -> bool:
        score = account["healthScore"]
        is_there = ("accounts", account["id"]) not in self.gone
        return (
            is_there and not self.is_past(account["churnedAt"]) and score is not None and score < 4
        )

    def is_deleted(self, stream: str, key: str) -> bool:
        return (stream, key) in self.gone


def or_none(text: str | None) -> str | None:
    return text or None


def day_of(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None


def sole(keys: set[str]) -> str | None:
    """The only one of some keys."""
    return next(iter(keys)) if len(keys) == 1 else None


def rounded(value: Decimal, places: str) -> float:
    """A number rounded half up, away from zero, as databases do it."""
    return float(value.quantize(Decimal(places), ROUND_HALF_UP))


def rate(part: Any, whole: Any) -> float | None:
    """A part in percent of a whole."""
    return rounded(100 * Decimal(str(part)) / Decimal(str(whole)), "0.1") if whole else None


def minutes_between(first: datetime | None, then: datetime | None) -> int | None:
    if not first or not then:
        return None
    whole = (each.replace(second=0, microsecond=0) for each in (first, then))
    start, end = whole
    return int((end - start).total_seconds() // 60)


def users(data: Recomputed) -> Rows:
    answers = [row for row in data.live("nps_responses").values() if row["userId"]]
    asked = Counter(row["userId"] for row in answers)
    answered = Counter(row["userId"] for row in answers if row["score"] is not None)
    meetings: dict[str, set[str]] = defaultdict(set)
    for key, meeting in data.live("meetings").items():
        start = data.start_of(meeting)
        if not meeting["archivedAt"] and start and start <= data.now:
            for person in meeting["participants"] or ():
                meetings[person["userId"] or ""].add(key)
    for key, user in data.all("users").items():
        accounts, owners = data.live_links(user, "account"), data.live_links(user, "organization")
        segments = sorted(each["name"] for each in user["segments"] or ())
        starts = [data.start_of(data.all("meetings")[each]) for each in meetings[key]]
        yield {
            "user_id": key,
            "accounts_count": len(accounts),
            "only_account_id": sole(accounts),
            "account_names": data.names("accounts", accounts),
            "organizations_count": len(owners),
            "organization_names": data.names("organizations", owners),
            "segment_names": ", ".join(segments) or None,
            "nps_responses_count": asked[key],
            "nps_answers_count": answered[key],
            "meetings_count": len(meetings[key]),
            "last_meeting_at": max(filter(None, starts), default=None),
            "is_active": not data.is_past(user["deactivatedAt"])
            and not data.is_deleted("users", key),
            "deleted_before": data.gone.get(("users", key)),
        }


def accounts(data: Recomputed) -> Rows:
    of_users = Counter(
        account
        for user in data.live("users").values()
        if not data.is_past(user["deactivatedAt"])
        for account in data.links(user, "account")
    )
    of_conversations = Counter(
        account
        for key, keys in data.conversation_accounts().items()
        if not data.is_deleted("conversations", key)
        for account in keys
    )
    tasks = [row for row in data.live("tasks").values() if not row["archivedAt"]]
    projects = [row for row in data.live("projects").values() if not row["archivedAt"]]
    touches = last_touches(data)
    for key, account in data.all("accounts").items():
        own = [task for task in tasks if task["accountId"] == key]
        segments = sorted(each["name"] for each in account["segments"] or ())
        touched, kind = touches.get(key, (None, None))
        score, renewal = account["healthScore"], day_of(account["nextRenewalDate"])
        yield {
            "account_id": key,
            "name": or_none(account["name"]),
            "organization_name": data.name("organizations", account["organizationId"]),
            "csm_name": data.name("admins", account["csmId"]),
            "segments_count": len(segments),
            "segment_names": ", ".join(segments) or None,
            "arr": None if account["mrr"] is None else float(12 * Decimal(str(account["mrr"]))),
            "days_until_renewal": None if renewal is None else (renewal - data.today).days,
            "is_churned": data.is_past(account["churnedAt"]),
            "health_score": score,
            "health_band": "unknown"
            if score is None
            else "poor"
            if score < 4
            else "average"
            if score < 7
            else "good",
            "is_at_risk": data.at_risk(account),
            "active_users_count": of_users[key],
            "conversations_count": of_conversations[key],
            "open_tasks_count": sum(not task["completedAt"] for task in own),
            "overdue_tasks_count": sum(map(data.is_overdue, own)),
            "open_projects_count": sum(
                row["accountId"] == key and not row["actualCompletionDate"] for row in projects
            ),
            "last_touch_at": touched,
            "last_touch_type": kind,
            "deleted_before": data.gone.get(("accounts", key)),
            **traits(account["traits"]),
        }


def traits(given: Row) -> Row:
    """A trait as text and one as a number."""
    plan, seats = given["plan"], given["seats"]
    is_single = isinstance(plan, str | int | float)
    written = str(plan).lower() if isinstance(plan, bool) else str(plan)
    return {
        "trait_plan": (written or None) if is_single else None,
        "trait_seats": seats if isinstance(seats, int | float) else None,
    }


def last_touches(data: Recomputed) -> dict[str, tuple[datetime, str]]:
    """The last contact with each account; of two at a time, the first in the alphabet."""
    found: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for account, kind, at in (*messages_of(data), *visits_of(data)):
        if account and at and at <= data.now:
            found[account].append((at, kind))
    return {
        key: min(each, key=lambda one: (-one[0].timestamp(), one[1])) for key, each in found.items()
    }


def messages_of(data: Recomputed) -> Iterator[Touch]:
    for key, account in data.all("accounts").items():
        yield key, "message received", moment(account["lastInboundMessageTimestamp"])
    links = data.conversation_accounts()
    for message in data.all("messages").values():
        conversation = message["conversationId"]
        if conversation and not data.is_deleted("conversations", conversation):
            kind = "message sent" if message["type"] == "outbound" else "message received"
            for key in links[conversation]:
                yield key, kind, moment(message["timestamp"])


def visits_of(data: Recomputed) -> Iterator[Touch]:
    for note in data.live("notes").values():
        if not note["archivedAt"]:
            yield note["accountId"], "note", moment(note["noteDate"] or note["createdAt"])
    for meeting in data.live("meetings").values():
        if not meeting["archivedAt"] and meeting["externalStatus"] != "cancelled":
            for key in data.links(meeting, "account"):
                yield key, "meeting", data.start_of(meeting)


def conversations(data: Recomputed) -> Rows:
    links = data.conversation_accounts()
    for key, conversation in data.all("conversations").items():
        messages = [row for row in data.all("messages").values() if row["conversationId"] == key]
        sent = [(moment(row["timestamp"]), row["type"]) for row in messages]
        asked = min((at for at, kind in sent if at and kind == "inbound"), default=None)
        answers = [at for at, kind in sent if asked and at and kind == "outbound" and at > asked]
        linked = {each for each in links[key] if not data.is_deleted("accounts", each)}
        yield {
            "conversation_id": key,
            "subject": or_none(conversation["subject"]),
            "is_open": conversation["status"] == "Open",
            "accounts_count": len(linked),
            "only_account_id": sole(linked),
            "account_names": data.names("accounts", linked),
            "messages_count": len(messages),
            "inbound_messages_count": sum(kind == "inbound" for _, kind in sent),
            "last_message_at": max((at for at, _ in sent if at), default=None),
            "first_answer_at": min(answers, default=None),
            "minutes_to_first_answer": minutes_between(asked, min(answers, default=None)),
            "is_deleted": data.is_deleted("conversations", key),
        }


def meetings(data: Recomputed) -> Rows:
    for key, meeting in data.all("meetings").items():
        linked = data.live_links(meeting, "account")
        people = meeting["participants"] or []
        start = data.start_of(meeting)
        is_there = not meeting["archivedAt"] and not data.is_deleted("meetings", key)
        yield {
            "meeting_id": key,
            "starts_at": start,
            "duration_in_minutes": minutes_between(
                moment(meeting["startDateTime"]), moment(meeting["endDateTime"])
            ),
            "has_taken_place": bool(start and start <= data.now)
            and meeting["externalStatus"] != "cancelled"
            and is_there,
            "accounts_count": len(linked),
            "only_account_id": sole(linked),
            "account_names": data.names("accounts", linked),
            "participants_count": len(people),
            "team_participants_count": sum(
                person["vitallyUserId"] is not None for person in people
            ),
            "notes_count": len(meeting["notes"] or ()),
        }
