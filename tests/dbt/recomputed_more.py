"""More models worked out anew, and the list of all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal

from harness.support import Row
from tests.dbt.answers import moment
from tests.dbt.recomputed import (
    Recomputed,
    Rows,
    accounts,
    conversations,
    day_of,
    meetings,
    or_none,
    rate,
    rounded,
    sole,
    users,
)


def organizations(data: Recomputed) -> Rows:
    for key, organization in data.all("organizations").items():
        own = [row for row in data.live("accounts").values() if row["organizationId"] == key]
        active = [row for row in own if not data.is_past(row["churnedAt"])]
        revenue = [Decimal(str(row["mrr"])) for row in active if row["mrr"] is not None]
        users = [
            user
            for user in data.live("users").values()
            if not data.is_past(user["deactivatedAt"]) and key in data.links(user, "organization")
        ]
        yield {
            "organization_id": key,
            "name": or_none(organization["name"]),
            "csm_name": data.name("admins", organization["csmId"]),
            "accounts_count": len(own),
            "active_accounts_count": len(active),
            "accounts_at_risk_count": sum(map(data.at_risk, own)),
            "arr_of_accounts": float(12 * sum(revenue)),
            "active_users_count": len(users),
            "is_deleted": data.is_deleted("organizations", key),
        }


def tasks(data: Recomputed) -> Rows:
    for key, task in data.all("tasks").items():
        projects = data.live_links(task, "project") & data.live("projects").keys()
        due = day_of(task["dueDate"])
        is_overdue = data.is_overdue(task)
        yield {
            "task_id": key,
            "account_name": data.name("accounts", task["accountId"]),
            "project_names": data.names("projects", projects),
            "assigned_to_name": data.name("admins", task["assignedToId"]),
            "is_open": data.is_open(task),
            "is_overdue": is_overdue,
            "days_overdue": (data.today - due).days if is_overdue and due else None,
        }


def projects(data: Recomputed) -> Rows:
    for key, project in data.all("projects").items():
        own = [
            task
            for task in data.live("tasks").values()
            if not task["archivedAt"] and key in data.links(task, "project")
        ]
        target = day_of(project["targetCompletionDate"])
        yield {
            "project_id": key,
            "status": "completed"
            if project["actualCompletionDate"]
            else "late"
            if target and target < data.today
            else "in progress"
            if project["actualStartDate"]
            else "not started",
            "tasks_count": len(own),
            "open_tasks_count": sum(map(data.is_open, own)),
            "overdue_tasks_count": sum(map(data.is_overdue, own)),
            "owned_by_name": data.name("admins", project["ownedByVitallyUserId"]),
        }


def notes(data: Recomputed) -> Rows:
    for key, note in data.all("notes").items():
        account = data.all("accounts").get(note["accountId"] or "", {})
        organization = note["organizationId"] or account.get("organizationId")
        yield {
            "note_id": key,
            "noted_at": moment(note["noteDate"] or note["createdAt"]),
            "account_name": data.name("accounts", note["accountId"]),
            "organization_id": organization,
            "organization_name": data.name("organizations", organization),
            "author_name": data.name("admins", note["authorId"]),
            "body_length": len(note["note"]) if note["note"] else None,
        }


def custom_objects(data: Recomputed) -> Rows:
    for key, row in data.all("custom_object_instances").items():
        keys = set(row["accountIds"] or [each["id"] for each in row["customers"] or ()])
        keys |= {row["customerId"]} - {None}
        linked = {each for each in keys if not data.is_deleted("accounts", each)}
        owner = data.name("admins", row["ownedByVitallyUserId"])
        yield {
            "custom_object_instance_id": key,
            "accounts_count": len(linked),
            "only_account_id": sole(linked),
            "account_names": data.names("accounts", linked),
            "owned_by_name": owner,
        }


def survey_answers(data: Recomputed) -> Rows:
    for key, response in data.all("survey_responses").items():
        account = data.all("accounts").get(response["accountId"] or "", {})
        for number, answer in enumerate(response["questionResponses"] or (), 1):
            value, kind = answer["data"]["value"], answer["data"]["type"]
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            is_day = kind == "date" and value == "2026-01-31"
            yield {
                "survey_response_id": key,
                "answer_number": number,
                "survey_question_id": answer["questionId"],
                "answer_type": kind,
                "value_number": value if is_number else None,
                "value_at": moment("2026-01-31T00:00:00Z") if is_day else None,
                "user_name": data.name("users", response["userId"]),
                "organization_id": account.get("organizationId"),
            }


def deleted(data: Recomputed) -> Rows:
    for (stream, key), missing_at in data.gone.items():
        yield {
            "stream_name": stream,
            "record_id": key,
            "missing_at": missing_at,
        }


def missing(data: Recomputed) -> Rows:
    for stream, key in data.workspace.missing:
        yield {"stream_name": stream, "record_id": key}


def nps(data: Recomputed) -> Rows:
    groups: dict[str, list[Row]] = defaultdict(list)
    shared: Counter[str] = Counter()
    for response in data.live("nps_responses").values():
        user = data.all("users").get(response["userId"] or "")
        linked = data.live_links(user, "account") if user else set()
        for key in linked if response["target"] != "organization" else ():
            groups[key].append(response)
            shared[key] += len(linked) > 1
    for key, responses in groups.items():
        scores = [row["score"] for row in responses if row["score"] is not None]
        votes = [(score >= 9) - (score <= 6) for score in scores]
        average = rounded(Decimal(sum(scores)) / len(scores), "0.01") if scores else None
        answered = [moment(row["respondedAt"]) for row in responses if row["score"] is not None]
        yield {
            "account_id": key,
            "account_name": data.name("accounts", key),
            "responses_count": len(responses),
            "answers_count": len(scores),
            "promoters_count": sum(vote > 0 for vote in votes),
            "shared_responses_count": shared[key],
            "average_score": average,
            "nps": rate(sum(votes), len(votes)),
            "last_answered_at": max(filter(None, answered), default=None),
        }


def team(data: Recomputed) -> Rows:
    own = [row for row in data.live("accounts").values() if not data.is_past(row["churnedAt"])]
    for key in data.all("admins"):
        accounts = [row for row in own if row["csmId"] == key]
        live = [row for row in data.live("tasks").values() if not row["archivedAt"]]
        assigned = [row for row in live if row["assignedToId"] == key]
        completed = [row for row in live if row["completedById"] == key and row["completedAt"]]
        due = [(day_of(row["completedAt"]), day_of(row["dueDate"])) for row in completed]
        revenue = [Decimal(str(row["mrr"])) for row in accounts if row["mrr"] is not None]
        yield {
            "admin_id": key,
            "accounts_count": len(accounts),
            "arr": float(12 * sum(revenue)),
            "accounts_at_risk_count": sum(map(data.at_risk, accounts)),
            "open_tasks_count": sum(map(data.is_open, assigned)),
            "overdue_tasks_count": sum(map(data.is_overdue, assigned)),
            "completed_tasks_count": len(completed),
            "tasks_completed_in_time_count": sum(
                bool(done and by and done <= by) for done, by in due
            ),
            "notes_count": sum(
                row["authorId"] == key and not row["archivedAt"]
                for row in data.live("notes").values()
            ),
        }


def history(data: Recomputed) -> Rows:
    for each in (Recomputed(data.workspace, 0), data):
        for key, account in each.live("accounts").items():
            yield {
                "account_id": key,
                "observed_on": each.today,
                "health_score": account["healthScore"],
                "mrr": account["mrr"],
                "is_churned": each.is_past(account["churnedAt"]),
                "csm_id": account["csmId"],
            }


def retention(data: Recomputed) -> Rows:
    """What became in March of those that paid in February: all of them, and by segment."""
    before = Recomputed(data.workspace, 0)
    groups: dict[str | None, list[tuple[Decimal, Decimal | None]]] = defaultdict(list)
    for key, account in before.live("accounts").items():
        if before.is_past(account["churnedAt"]) or not account["mrr"] or account["mrr"] < 0:
            continue
        then = data.live("accounts").get(key)
        final = None
        if then is None or data.is_past(then["churnedAt"]):
            final = Decimal(0)
        elif then["mrr"] is not None:
            final = Decimal(str(then["mrr"]))
        for segment in (None, *(each["id"] for each in account["segments"] or ())):
            groups[segment].append((Decimal(str(account["mrr"])), final))
    for segment, pairs in groups.items():
        known = [(start, end) for start, end in pairs if end is not None]
        started = sum(start for start, _ in known)
        yield {
            "revenue_month": date(2026, 3, 1),
            "months": 1,
            "segment_id": segment,
            "accounts_count": len(known),
            "accounts_without_mrr_count": len(pairs) - len(known),
            "churned_accounts_count": sum(end == 0 for _, end in known),
            "starting_mrr": float(started) if known else None,
            "net_revenue_retention": rate(sum(end for _, end in known), started),
            "gross_revenue_retention": rate(sum(min(start, end) for start, end in known), started),
        }


MODELS: dict[str, Callable[[Recomputed], Rows]] = {
    "user_enhanced": users,
    "account_enhanced": accounts,
    "organization_enhanced": organizations,
    "conversation_enhanced": conversations,
    "meeting_enhanced": meetings,
    "task_enhanced": tasks,
    "project_enhanced": projects,
    "note_enhanced": notes,
    "custom_object_instance_enhanced": custom_objects,
    "survey_answer_enhanced": survey_answers,
    "deleted_records": deleted,
    "missing_records": missing,
    "account_nps": nps,
    "team_member_metrics": team,
    "account_health_daily": history,
    "revenue_retention": retention,
}
