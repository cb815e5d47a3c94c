"""Whatever the other settings hold is taken over, or refused with a line that says what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_vitally.sync.lookups import CRITERIA, INSTANCES, LOOKUPS, problems_with
from tap_vitally.sync.settings import Settings
from tap_vitally.tap import TapVitally
from tests.tap.refusals import refusal, refusal_of_the_tap
from vitally_api.settings import read_settings


@pytest.mark.parametrize(
    ("given_date", "moment"),
    [
        (None, None),
        ("", None),
        ("2024-01-31", datetime(2024, 1, 31, tzinfo=UTC)),
        ("2024-01-31T12:00:00Z", datetime(2024, 1, 31, 12, tzinfo=UTC)),
        ("2024-01-31T12:00:00", datetime(2024, 1, 31, 12, tzinfo=UTC)),
        ("2024-01-31 12:00:00.5+05:30", datetime(2024, 1, 31, 6, 30, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_a_start_date_is_a_moment(given_date: str | None, moment: datetime | None) -> None:
    checked = read_settings(
        Settings, {"api_key": "sandbox", "subdomain": "acme", "start_date": given_date}
    )
    assert checked.start_date == moment


@pytest.mark.parametrize("garbage", ["soon", "31/01/2024", "2024-02-30", 20240131, {}, "0", [1]])
def test_a_start_date_that_is_none_is_refused_with_an_example(garbage: Any) -> None:
    if garbage == {}:
        garbage = {"year": 2024}
    config = {"api_key": "sandbox", "subdomain": "acme", "start_date": garbage}
    (problem,) = refusal(config)
    assert problem.startswith("start_date is ")
    assert problem.endswith("write it as 2024-01-31T00:00:00Z")


def test_all_problems_are_told_at_once() -> None:
    problems = refusal({"start_date": "soon"})
    assert [problem.split()[0] for problem in problems] == ["api_key", "subdomain", "start_date"]


def test_settings_that_are_missing_or_null_have_their_defaults() -> None:
    needed: dict[str, Any] = {"api_key": "sandbox", "subdomain": "acme"}
    defaults = Settings(**needed)
    names = TapVitally.config_jsonschema["properties"].keys() - needed.keys()
    assert read_settings(Settings, needed) == defaults
    assert read_settings(Settings, {**dict.fromkeys(names), **needed}) == defaults
    assert defaults.lookback == timedelta(seconds=300)


def test_settings_are_taken_over() -> None:
    given_values = {
        "account_status": "churned",
        "include_archived": False,
        "page_size": 7,
        "concurrency": 1,
        "fail_on_skipped": True,
        "embedded_objects": "reference",
        "lookups": {"accounts": ["1"]},
    }
    checked = read_settings(
        Settings,
        {
            "api_key": "sandbox",
            "data_center": "eu",
            "lookback_seconds": 0,
            "survey_ids": ["1", "2"],
            "inventory_resources": ["accounts"],
            **given_values,
        },
    )
    assert {name: getattr(checked, name) for name in given_values} == given_values
    assert checked.lookback == timedelta(0)
    assert checked.survey_ids == ("1", "2")
    assert checked.inventory_resources == ("accounts",)


def test_any_lookback_that_the_schema_lets_through_can_be_used() -> None:
    config = {"api_key": "sandbox", "subdomain": "acme", "lookback_seconds": 10**15}
    try:
        tap = TapVitally(config=config)
    except ConfigValidationError as error:
        assert "lookback_seconds" in str(error)  # noqa: PT017 - or is refused by name
        return
    assert tap.settings.lookback >= timedelta(days=365)


# Look-ups


def test_every_look_up_is_known() -> None:
    everything = {name: ["1"] for name in LOOKUPS}
    assert problems_with(everything) == []
    assert problems_with({}) == []
    declared = TapVitally.config_jsonschema["properties"]["lookups"]["properties"]
    assert declared.keys() == {*LOOKUPS, INSTANCES}


def test_an_unknown_look_up_is_named_with_those_there_are() -> None:
    problems = problems_with({"acounts": ["1"], "accounts": ["1"], "emails": []})
    assert [problem.split(":")[0] for problem in problems] == [
        "lookups has no key 'acounts'",
        "lookups has no key 'emails'",
    ]
    assert all(name in problem for problem in problems for name in (*LOOKUPS, INSTANCES))
    reported = refusal_of_the_tap(
        {"api_key": "sandbox", "subdomain": "acme", "lookups": {"acounts": ["1"]}}
    )
    assert "acounts" in reported


@pytest.mark.parametrize("criterion", CRITERIA)
def test_a_search_for_instances_takes_exactly_one_criterion(criterion: str) -> None:
    search = {"customObjectId": "1", criterion: "2"}
    assert problems_with({INSTANCES: [search]}) == []
    other = next(name for name in CRITERIA if name != criterion)
    for wrong in ({**search, other: "3"}, {criterion: "2"}, {"customObjectId": "1"}, {}, "1"):
        (problem,) = problems_with({INSTANCES: [search, wrong]})
        assert problem.startswith(f"lookups.{INSTANCES}[1] needs customObjectId and exactly one of")
        assert all(name in problem for name in CRITERIA)
    (problem,) = problems_with({INSTANCES: [{"customObjectId": "1", "colour": "2"}]})
    assert "exactly one of" in problem
