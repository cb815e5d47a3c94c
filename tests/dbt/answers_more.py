"""What the other eight questions have for answers: history, groups, meetings, surveys, custom objects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from harness.support import Row
from tests.dbt.answers import Answer, ExpectedData, arr, mean, moment, rounded


def fallen(expected_rows: ExpectedData) -> Answer:
    before = expected_rows.before
    assert before
    answer = []
    for key, account in expected_rows.accounts.items():
        then, now = before.accounts[key]["healthScore"], account["healthScore"]
        if not expected_rows.churned(account) and None not in (then, now) and now < then:
            name = expected_rows.names.get(account["csmId"])
            fall = float(Decimal(str(now)) - Decimal(str(then)))
            answer.append((account["name"], name, then, before.today, now, fall))
    return answer


def retention(expected_rows: ExpectedData) -> Answer:
    before = expected_rows.before
    assert before
    groups: dict[str | None, list[tuple[Decimal, Decimal | None]]] = defaultdict(list)
    for key, account in before.accounts.items():
        paid = Decimal(str(account["mrr"] or 0))
        if before.churned(account) or not paid:
            continue
        still: Row = expected_rows.accounts.get(key, {"mrr": 0, "churnedAt": None})
        pays = None if still["mrr"] is None else Decimal(str(still["mrr"]))
        for name in [None, *(segment["name"] for segment in account["segments"])]:
            groups[name].append((paid, Decimal(0) if expected_rows.churned(still) else pays))
    answer = []
    for name, all_pairs in groups.items():
        pairs = [(paid, pays) for paid, pays in all_pairs if pays is not None]
        start = sum((paid for paid, _ in pairs), Decimal(0))
        end = sum((pays for _, pays in pairs), Decimal(0))
        lost = sum((paid for paid, pays in pairs if not pays), Decimal(0))
        answer.append((name, len(pairs), start, lost, end, rounded(100 * end / start, "0.1")))
    return answer


def organizations(expected_rows: ExpectedData) -> Answer:
    answer = []
    for row in expected_rows.rows("organizations"):
        own = [a for a in expected_rows.accounts.values() if a["organizationId"] == row["id"]]
        active = [account for account in own if not expected_rows.churned(account)]
        if not expected_rows.churned(row):
            figures = (len(active), sum(map(expected_rows.at_risk, own)), arr(active))
            answer.append((row["name"], expected_rows.names.get(row["csmId"]), *figures))
    return answer


def meetings_without_notes(expected_rows: ExpectedData) -> Answer:
    answer = []
    for meeting in expected_rows.live("meetings"):
        start = moment(meeting["startDateTime"] or f"{meeting['startDate']}T00:00:00Z")
        accounts = [each for each in meeting["accounts"] if each["id"] in expected_rows.accounts]
        past = start and start <= expected_rows.now and meeting["externalStatus"] != "cancelled"
        if past and not meeting["notes"]:
            answer.append((meeting["title"], start, len(accounts), len(meeting["participants"])))
    return answer


def survey_answers(expected_rows: ExpectedData) -> Answer:
    questions = {row["id"]: row for row in expected_rows.rows("survey_questions")}
    values = defaultdict(list)
    for response in expected_rows.rows("survey_responses"):
        for answer in response["questionResponses"]:
            values[answer["questionId"]].append(answer["data"]["value"])
    return [
        (
            questions[key]["title"],
            questions[key]["type"],
            len(found),
            mean(value for value in found if isinstance(value, int | float)),
        )
        for key, found in values.items()
    ]


def custom_objects(expected_rows: ExpectedData) -> Answer:
    labels = {row["id"]: row["label"] for row in expected_rows.rows("custom_objects")}
    groups = defaultdict(list)
    for row in expected_rows.live("custom_object_instances"):
        groups[row["customObjectId"]].append(row)

    def changed(row: Row) -> datetime:
        found = moment(row["updatedAt"])
        assert found
        return found

    def is_linked(row: Row) -> bool:
        linked = {row["customerId"], *(each["id"] for each in row["customers"])}
        return bool(linked & expected_rows.accounts.keys())

    return [
        (labels.get(key), len(rows), sum(map(is_linked, rows)), max(map(changed, rows)))
        for key, rows in groups.items()
    ]


def without_csm(expected_rows: ExpectedData) -> Answer:
    return [
        (
            account["name"],
            expected_rows.names.get(account["accountOwnerId"]),
            None if account["mrr"] is None else arr([account]),
        )
        for account in expected_rows.accounts.values()
        if not account["csmId"] and not expected_rows.churned(account)
    ]


def note_authors(expected_rows: ExpectedData) -> Answer:
    categories = {row["id"]: row["name"] for row in expected_rows.rows("note_categories")}
    groups = defaultdict(list)
    for note in expected_rows.live("notes"):
        groups[note["authorId"], note["categoryId"]].append(note["accountId"])
    return [
        (
            expected_rows.names.get(author),
            categories.get(category),
            len(accounts),
            len(set(filter(None, accounts))),
        )
        for (author, category), accounts in groups.items()
    ]


MORE: list[Callable[[ExpectedData], Answer]] = [
    fallen,
    retention,
    organizations,
    meetings_without_notes,
    survey_answers,
    custom_objects,
    without_csm,
    note_authors,
]
"""In the order of docs/questions.md, after those of `answers`."""
