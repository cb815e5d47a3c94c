"""The dbt package, from the sandbox over tap and loader to its models, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harness.support import Row, catalog
from tests.dbt.answers import ANSWERS, GOOD, POOR, ExpectedData, moment, rate
from tests.dbt.answers_more import MORE
from tests.dbt.conftest import START, Built, Models, has_overall
from tests.dbt.described import described, questions
from tests.dbt.numbers import of_days, of_the_team, of_users
from tests.dbt.warehouses import by_sort, even

pytestmark = pytest.mark.timeout(900)  # the first test waits until all is built on both databases
ALL = [*ANSWERS, *MORE]


@pytest.mark.parametrize(
    ("number", "answer"), list(enumerate(ALL)), ids=[answer.__name__ for answer in ALL]
)
def test_a_question_has_the_answer_of_the_truth(
    models: Models,
    number: int,
    answer: Callable[[ExpectedData], list[tuple[Any, ...]]],
    built: Built,
) -> None:
    found = models.query(questions()[number])
    wanted = [tuple(map(even, row)) for row in answer(built.expected_rows)]
    assert wanted
    assert by_sort(found) == by_sort(wanted)


def test_there_is_an_answer_to_each_question() -> None:
    assert len(questions()) == len(ALL)


# What the models are


def test_every_model_and_column_is_described(bare: Models) -> None:
    columns = """
        SELECT table_name, column_name FROM information_schema.columns
        WHERE table_schema LIKE 'dbt_vitally_%' ORDER BY table_name, ordinal_position
    """
    found: dict[str, list[str]] = {}
    for table, column in bare.query(columns):
        found.setdefault(table, []).append(column)
    assert found == described()


def test_staging_has_every_row(all_models: Models, built: Built) -> None:
    selected = {
        entry["stream"]
        for entry in catalog()["streams"]
        for item in entry["metadata"]
        if item["metadata"].get("selected-by-default")
    }
    if all_models.is_bare:
        selected -= {"survey_responses", "survey_questions"}
    counts = {
        stream: all_models.query(f"SELECT count(*) FROM stg_vitally__{stream}")[0][0]  # noqa: S608
        for stream in selected
    }
    kept = {} if all_models.is_bare else dict.fromkeys(built.gone, 1)
    assert counts == {
        stream: len(built.expected_rows.rows(stream)) + kept.get(stream, 0) for stream in selected
    }


# What hides in arrays


def pairs(rows: list[Row], key: str) -> set[tuple[str, str]]:
    """Each row with each of the records embedded in it."""
    return {(row["id"], each["id"]) for row in rows for each in row[key]}


@pytest.mark.parametrize(
    "link",
    [
        ("account_segments", "accounts", "segments"),
        ("account_key_roles", "accounts", "keyRoles"),
        ("user_accounts", "users", "accounts"),
        ("user_organizations", "users", "organizations"),
        ("user_segments", "users", "segments"),
        ("meeting_accounts", "meetings", "accounts"),
        ("meeting_organizations", "meetings", "organizations"),
        ("task_projects", "tasks", "projects"),
        ("custom_object_instance_accounts", "custom_object_instances", "customers"),
    ],
)
def test_links(all_models: Models, link: tuple[str, str, str], built: Built) -> None:
    table, stream, key = link
    rows = all_models.query(f"SELECT * FROM stg_vitally__{table}")  # noqa: S608
    found = [row for row in rows if row[0] != built.gone.get(stream)]
    wanted = pairs(built.expected_rows.rows(stream), key)
    assert wanted
    assert len(found) == len(wanted)
    assert {row[:2] for row in found} == wanted


def test_participants_of_meetings(models: Models, built: Built) -> None:
    rows = models.query(
        "SELECT meeting_id, participant_id, user_id, admin_id, email, participant_type"
        " FROM stg_vitally__meeting_participants"
    )
    found = [row for row in rows if row[0] != built.gone["meetings"]]
    fields = ("id", "userId", "vitallyUserId", "email", "type")
    wanted = [
        (meeting["id"], *(person.get(each) for each in fields))
        for meeting in built.expected_rows.rows("meetings")
        for person in meeting["participants"]
    ]
    assert by_sort(found) == by_sort(wanted)


def test_traits_are_unpivoted_with_their_labels(models: Models, built: Built) -> None:
    rows = models.query(
        "SELECT account_id, path, label, value_type, value_number FROM stg_vitally__account_traits"
    )
    found = [row for row in rows if row[0] != built.gone["accounts"]]
    labels = {
        row["path"]: row["label"]
        for row in built.expected_rows.rows("custom_fields")
        if row["model"] == "accounts"
    }

    def kind(value: Any) -> str:
        kinds = {bool: "boolean", str: "text", list: "array"}
        return kinds.get(type(value), "number")

    wanted = [
        (key, path, labels.get(path), kind(value), even(float(value)))
        if kind(value) == "number"
        else (key, path, labels.get(path), kind(value), None)
        for key, account in built.expected_rows.accounts.items()
        for path, value in account["traits"].items()
        if value is not None
    ]
    assert by_sort(found) == by_sort(wanted)


# The models to work with


def test_traits_that_are_chosen_are_columns(models: Models, built: Built) -> None:
    found = models.query(
        "SELECT account_id, trait_tier, renewal_date, contract_start_at, trait_usage_mrr, trait_beta"
        " FROM vitally__account_enhanced WHERE NOT is_deleted"
    )
    wanted = []
    for key, account in built.expected_rows.accounts.items():
        traits = account["traits"]
        renewal = moment(traits.get("sfdc.Renew_Date__c"))
        start = traits.get("hspot.contract_start_date")
        wanted.append(
            (
                key,
                traits.get("vitally.custom.tier"),
                renewal.date() if renewal else None,
                datetime.fromtimestamp(start / 1000, UTC).replace(tzinfo=None) if start else None,
                even(traits.get("usage_mrr")),
                traits.get("beta"),
            )
        )
    assert by_sort(found) == by_sort(wanted)


def test_trait_columns_of_the_tap_pass_through(models: Models, built: Built) -> None:
    found = models.query(
        "SELECT account_id, trait_next_step FROM vitally__account_enhanced WHERE NOT is_deleted"
    )
    wanted = [
        (key, account["traits"].get("vitally.custom.nextStep"))
        for key, account in built.expected_rows.accounts.items()
    ]
    assert by_sort(found) == by_sort(wanted)


def test_accounts_know_who_and_how_much(models: Models, built: Built) -> None:
    expected_rows = built.expected_rows
    found = models.query(
        "SELECT account_id, organization_name, csm_name, account_owner_name, arr, open_tasks_count,"
        " overdue_tasks_count, active_users_count, health_band, is_at_risk, is_churned"
        " FROM vitally__account_enhanced WHERE NOT is_deleted"
    )
    organizations = {row["id"]: row["name"] for row in expected_rows.rows("organizations")}

    def band(score: float | None) -> str:
        if score is None:
            return "unknown"
        return "poor" if score < POOR else "average" if score < GOOD else "good"

    wanted = []
    for key, account in expected_rows.accounts.items():
        tasks = [task for task in expected_rows.live("tasks") if task["accountId"] == key]
        users = [
            user
            for user in expected_rows.rows("users")
            if not user["deactivatedAt"] and key in {each["id"] for each in user["accounts"]}
        ]
        wanted.append(
            (
                key,
                organizations.get(account["organizationId"]),
                expected_rows.names.get(account["csmId"]),
                expected_rows.names.get(account["accountOwnerId"]),
                None if account["mrr"] is None else even(12 * account["mrr"]),
                sum(map(expected_rows.is_open, tasks)),
                sum(map(expected_rows.is_overdue, tasks)),
                len(users),
                band(account["healthScore"]),
                expected_rows.at_risk(account),
                expected_rows.churned(account),
            )
        )
    assert by_sort(found) == by_sort(wanted)


def test_without_lists_an_answer_counts_for_each_account_of_its_user(
    bare: Models, built: Built
) -> None:
    found = bare.query(
        "SELECT account_id, nps, shared_responses_count > 0 FROM vitally__account_nps"
    )
    users = {row["id"]: row for row in built.expected_rows.rows("users")}
    scores: dict[str, list[int | None]] = {}
    shared = set()
    for response in built.expected_rows.rows("nps_responses"):
        asked = users.get(response["userId"], {"accounts": []})
        accounts = {each["id"] for each in asked["accounts"]}
        for key in accounts if response["target"] == "accounts" else ():
            scores.setdefault(key, []).append(response["score"])
            shared |= {key} if len(accounts) > 1 else set()
    wanted = [
        (key, even(rate(each for each in all_scores if each is not None)), key in shared)
        for key, all_scores in scores.items()
    ]
    assert shared
    assert by_sort(found) == by_sort(wanted)


def test_nps_of_organizations(models: Models, built: Built) -> None:
    found = models.query(
        "SELECT organization_id, responses_count, nps FROM vitally__organization_nps"
    )
    scores: dict[str, list[int | None]] = {}
    for response in built.expected_rows.rows("organization_nps_responses"):
        scores.setdefault(response["parentOrganizationId"], []).append(response["score"])
    wanted = [
        (key, len(every), even(rate(each for each in every if each is not None)))
        for key, every in scores.items()
    ]
    assert wanted
    assert by_sort(found) == by_sort(wanted)


def test_conversations_count_their_messages_and_the_time_to_an_answer(
    models: Models, built: Built
) -> None:
    found = models.query(
        "SELECT conversation_id, accounts_count, messages_count, minutes_to_first_answer"
        " FROM vitally__conversation_enhanced WHERE NOT is_deleted"
    )
    links = [row["id"] for row in built.expected_rows.rows("account_conversations")]
    wanted = []
    for conversation in built.expected_rows.rows("conversations"):
        key = conversation["id"]
        messages = [m for m in built.expected_rows.rows("messages") if m["conversationId"] == key]
        asked = min((m["timestamp"] for m in messages if m["type"] == "inbound"), default="~")
        answered = [
            m["timestamp"] for m in messages if m["type"] == "outbound" and m["timestamp"] > asked
        ]
        minutes = None
        if answered:
            first, then = (
                datetime.fromisoformat(each).replace(second=0, microsecond=0)
                for each in (asked, min(answered))
            )
            minutes = int((then - first).total_seconds() // 60)
        wanted.append((key, links.count(key), len(messages), minutes))
    assert any(row[3] for row in wanted)
    assert by_sort(found) == by_sort(wanted)


def test_what_is_gone_is_flagged(models: Models, built: Built) -> None:
    listed = models.query("SELECT stream_name, record_id FROM vitally__deleted_records")
    assert len(listed) == len(built.gone)
    assert dict(listed) == built.gone
    for noun in ("account", "user", "conversation", "task", "project"):
        flagged = models.query(
            f"SELECT {noun}_id, deleted_before FROM vitally__{noun}_enhanced WHERE is_deleted"  # noqa: S608
        )
        second_day = (START + timedelta(days=1)).replace(tzinfo=None)
        assert flagged == [(built.gone[f"{noun}s"], second_day)]


def test_a_stream_that_has_just_run_is_fresh(models: Models) -> None:
    found = models.query("SELECT stream_name, status FROM vitally__sync_health")
    assert dict(found).keys() > {"accounts", "tasks"}
    assert {status for _, status in found} == {"fresh"}


def test_what_is_deleted_counts_nowhere(models: Models, built: Built) -> None:
    """Neither in the open tasks of an assignee nor in the numbers of a user."""
    expected_rows = built.expected_rows
    found = models.query(
        "SELECT admin_id, open_tasks_count, overdue_tasks_count, completed_tasks_count,"
        " open_projects_count, notes_count FROM vitally__team_member_metrics"
    )
    assert by_sort(found) == by_sort(of_the_team(expected_rows))
    found = models.query(
        "SELECT user_id, accounts_count, organizations_count, nps_answers_count, meetings_count"
        " FROM vitally__user_enhanced WHERE NOT is_deleted"
    )
    assert by_sort(found) == by_sort(of_users(expected_rows))
    active = models.query("SELECT is_active FROM vitally__user_enhanced WHERE is_deleted")
    assert active == [(False,)]


def test_the_fresher_score_counts_and_says_how_old_it_is(models: Models, built: Built) -> None:
    found = models.query(
        "SELECT account_id, health_score, is_at_risk,"
        " CASE WHEN account_id IN (SELECT account_id FROM stg_vitally__account_health_scores)"
        " THEN cast(health_score_as_of AS varchar) END"
        " FROM vitally__account_enhanced WHERE NOT is_deleted"
    )
    today = str(built.expected_rows.now)
    scored = [row for row in found if has_overall(row[0])]
    assert {row[3] for row in scored if row[1] is not None} == {today}
    wanted = [
        (key, even(account["healthScore"]), built.expected_rows.at_risk(account))
        for key, account in built.expected_rows.accounts.items()
    ]
    assert by_sort([row[:3] for row in found]) == by_sort(wanted)


def test_a_day_keeps_what_comes_late(models: Models, built: Built) -> None:
    """On the first day dbt had run before the scores were read, and after they had moved."""
    found = models.query(
        "SELECT account_id, observed_on, health_score, breakdown IS NOT NULL, mrr, is_churned"
        " FROM vitally__account_health_daily WHERE observed_on > '2026-03-01'"
    )
    assert by_sort(found) == by_sort(of_days(built.first, built.expected_rows))


def test_what_nobody_read_is_not_zero(bare: Models) -> None:
    """Without messages and the lists below accounts, nothing tells of conversations."""
    unknown = {
        "vitally__account_enhanced": {"conversations_count"},
        "vitally__conversation_enhanced": {
            "accounts_count",
            "messages_count",
            "inbound_messages_count",
            "outbound_messages_count",
        },
        "vitally__user_enhanced": set(),
        "vitally__project_enhanced": set(),
        "vitally__team_member_metrics": set(),
    }
    for model, nulls in unknown.items():
        counts = [name for name in described()[model] if name.endswith("_count")]
        for count in counts:
            found = bare.query(
                f"SELECT count(*) > 0, count({count}), count(*) FROM {model}"  # noqa: S608
            )
            assert found[0][0]
            assert found[0][1] == (0 if count in nulls else found[0][2]), (model, count)
