"""What the columns of a stream mean: keys of several, what Vitally works out, copies, what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.target import Outcome, Row, messages, schema, write
from harness.workspace import Workspace
from target_vitally.resources import RESOURCES

REGIONS = {
    "resource": "accounts",
    "properties": {"externalId": ["region", "no"], "name": "company"},
}


def said(stream: str, rows: list[Row], *keys: str, columns: list[str] | None = None) -> list[Row]:
    """Make an input whose SCHEMA names a key, and maybe other columns than its rows have."""
    header = schema(stream, [dict.fromkeys(columns)] if columns else rows, list(keys))
    return [header, *({"type": "RECORD", "stream": stream, "record": row} for row in rows)]


def refused(found: Outcome, here: Workspace, *parts: str) -> None:
    """See that a run ended at a SCHEMA, in words that name these, and that nothing was asked."""
    assert all(part in found.failure for part in parts), found.failure
    assert (here.log, found.results) == ([], [])


def keys(here: Workspace, table: str = "accounts") -> list[str]:
    return sorted(row["externalId"] for row in here.rows(table))


# Keys of several columns


@pytest.mark.parametrize("no", [1, 1.0, "1"], ids=repr)
def test_a_key_of_two_columns_is_one_text(here: Workspace, no: Any) -> None:
    rows: list[Row] = [{"region": r, "no": no, "company": r.upper()} for r in ("eu", "us")]
    for outcome in ("created", "unchanged"):
        found = write(here, said("crm", rows, "region", "no"), streams={"crm": REGIONS})
        assert found.words == [outcome] * 2, found
    assert keys(here) == ["eu-1", "us-1"]
    gone = [{**rows[0], "_deleted": 1}]
    write(here, said("crm", gone, "region", "no"), streams={"crm": REGIONS}, deletes="delete")
    assert keys(here) == ["us-1"]


@pytest.mark.parametrize(
    ("properties", "schema_keys"),
    [
        ({"externalId": "no"}, ["region", "no"]),
        ({"externalId": "region"}, ["region", "no"]),
        ({"externalId": ["region", "no"]}, ["tenant", "region", "no"]),
        ({"externalId": "no", "organizationExternalId": "region"}, ["region", "no"]),
    ],
)
def test_a_key_that_would_be_cut_is_refused(
    here: Workspace, properties: Row, schema_keys: list[str]
) -> None:
    rows: list[Row] = [{"tenant": 1, "region": "eu", "no": 1, "company": "E"}]
    entry = {"resource": "accounts", "properties": properties, "unknown": "ignore"}
    found = write(here, said("crm", rows, *schema_keys), streams={"crm": entry})
    refused(found, here, f"properties: {{externalId: [{', '.join(schema_keys)}]}}")


@pytest.mark.parametrize(
    ("resource", "entry"),
    [
        ("users", {"match": "email", "properties": {"email": "no"}}),
        ("projects", {"match": "trait:own", "traits": {"own": "no"}}),
        ("custom_objects", {"properties": {"name": "no"}}),
        ("tasks", {"properties": {"externalId": "no", "accountExternalId": "region"}}),
        ("accounts", {"mode": "delete", "properties": {"externalId": "no"}}),
        ("accounts", {"properties": {"id": "no"}}),
    ],
)
def test_a_key_is_not_cut_in_any_resource(here: Workspace, resource: str, entry: Row) -> None:
    rows: list[Row] = [{"region": "eu", "no": 1}]
    streams = {"crm": {"resource": resource, "unknown": "ignore", **entry}}
    refused(write(here, said("crm", rows, "region", "no"), streams=streams), here, "region, no")


def test_a_wider_key_is_fine_where_the_address_takes_the_rest(here: Workspace) -> None:
    here.put("customObjects", name="deal", label="Deal", writeMode="writable", customFields=[])
    here.put("accounts", externalId="a", name="A")
    streams = {
        "deals": {
            "resource": "custom_object_instances",
            "properties": {
                "externalId": "no",
                "customObjectName": "kind",
                "accountExternalId": "of",
            },
        }
    }
    rows: list[Row] = [{"kind": "deal", "no": 1, "name": "Renewal", "of": "a"}]
    assert write(here, said("deals", rows, "kind", "no"), streams=streams).words == ["created"]


@pytest.mark.parametrize("other", ["uid", "externalId"])
def test_another_key_of_the_same_rows_is_fine(here: Workspace, other: str) -> None:
    rows: list[Row] = [{"region": "eu", "no": 1, other: "e1", "name": "E"}]
    entry: Row = {"resource": "accounts", "unknown": "ignore"}
    if other == "uid":
        entry["properties"] = {"externalId": other}
    assert write(here, said("crm", rows, "region", "no"), streams={"crm": entry}).words == [
        "created"
    ]


@pytest.mark.parametrize("part", [None, "", "  ", {}, [], True], ids=repr)
def test_a_key_takes_all_of_its_columns(here: Workspace, part: Any) -> None:
    rows: list[Row] = [
        {"region": "eu", "no": part, "company": "E"},
        {"region": part, "no": 1, "company": "E"},
        {"region": "us", "no": 1, "company": "U"},
    ]
    found = write(here, said("crm", rows, "region", "no"), streams={"crm": REGIONS})
    assert found.words == ["rejected", "rejected", "created"]
    assert "region + no" in found.reasons
    assert keys(here) == ["us-1"]


@pytest.mark.parametrize("size", [1, 1000])
def test_two_keys_with_the_same_text_are_not_one_record(here: Workspace, size: int) -> None:
    rows: list[Row] = [
        {"region": "a-b", "no": "c", "company": "one"},
        {"region": "a", "no": "b-c", "company": "other"},
        {"region": "a-b", "no": "c", "company": "again"},
    ]
    found = write(here, said("crm", rows), streams={"crm": REGIONS}, batch_size_rows=size)
    assert found.words[1] == "rejected"
    assert "same text" in found.reasons
    assert [row["name"] for row in here.rows("accounts")] == ["again"]


def test_references_name_keys_of_several_columns(here: Workspace) -> None:
    streams = {
        "crm": REGIONS,
        "people": {
            "resource": "users",
            "properties": {"externalId": "person", "accountExternalId": ["region", "no"]},
        },
        "todo": {
            "resource": "tasks",
            "properties": {"externalId": "task", "accountExternalId": ["region", "no"]},
            "unknown": "ignore",
        },
    }
    accounts: list[Row] = [{"region": r, "no": 1, "company": r} for r in ("eu", "us")]
    people: list[Row] = [{"person": "u", "region": r, "no": 1} for r in ("eu", "us")]
    tasks: list[Row] = [
        {"task": "t", "region": "us", "no": 1, "name": "Call"},
        {"task": "x", "region": "us", "no": None, "name": "Call"},
    ]
    for outcome in ("created", "unchanged"):
        found = write(
            here,
            [
                *said("people", people, "person", "region", "no"),
                *said("todo", tasks, "task"),
                *said("crm", accounts, "region", "no"),
            ],
            streams=streams,
        )
        assert found.words == [outcome, outcome, outcome, "rejected", outcome, outcome], found
    assert len(here.rows("users")[0]["accountIds"]) == 2


def test_a_trait_may_hold_a_key_of_several_columns(here: Workspace) -> None:
    here.put("accounts", externalId="a", name="A")
    streams = {
        "work": {
            "resource": "projects",
            "match": "trait:vitally.custom.own",
            "traits": {"vitally": {"custom": {"own": ["region", "no"]}}},
        }
    }
    rows: list[Row] = [
        {"region": r, "no": 7, "templateName": "Usual", "accountExternalId": "a"} for r in "xy"
    ]
    for outcome in ("created", "unchanged"):
        assert (
            write(here, said("work", rows, "region", "no"), streams=streams).words == [outcome] * 2
        )
    assert {row["traits"]["vitally.custom.own"] for row in here.rows("projects")} == {"x-7", "y-7"}


@pytest.mark.parametrize(
    "entry",
    [
        {"properties": {"name": ["first", "last"]}},
        {"properties": {"externalId": []}},
        {"properties": {"externalId": [1]}},
        {"traits": {"plan": ["a", "b"]}},
        {"resource": "users", "properties": {"accountExternalIds": ["a", "b"]}},
        {"links": "some"},
        {"copy": "yes"},
        {"deleted": True},
    ],
)
def test_settings_of_a_stream_that_say_nothing_are_refused(here: Workspace, entry: Row) -> None:
    with pytest.raises(Exception, match="streams"):
        write(here, [], streams={"accounts": {"resource": "accounts", **entry}})


# What Vitally works out


def shown_only() -> list[tuple[str, str]]:
    return sorted(
        (resource.name, column)
        for resource in RESOURCES.values()
        for column, kind in resource.columns.items()
        if kind in {"left out", "embedded"} and column not in {"createdAt", "updatedAt"}
    )


@pytest.mark.parametrize(("resource", "column"), shown_only())
def test_what_vitally_only_shows_is_an_unknown_column(
    here: Workspace, resource: str, column: str
) -> None:
    found = write(here, messages(**{resource: [{"externalId": "x", column: "1"}]}))
    refused(found, here, column)


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("mrr", "the trait that feeds MRR in your workspace"),
        ("MRR", "the trait that feeds MRR in your workspace"),
        ("next_renewal_date", "the trait that feeds the next renewal date"),
        ("churned_at", "the trait that feeds the churn date"),
        ("health_score", "works it out"),
        ("csm_id", "its app"),
        ("last_seen_timestamp", "works it out"),
    ],
)
def test_it_is_said_where_to_put_what_vitally_works_out(
    here: Workspace, column: str, hint: str
) -> None:
    rows: list[Row] = [{"external_id": "a", "name": "A", column: 12}]
    refused(write(here, messages(accounts=rows)), here, column, hint)
    streams = {"accounts": {"resource": "accounts", "properties": {column: column}}}
    refused(write(here, messages(accounts=rows), streams=streams), here, "cannot be written")
    streams = {"accounts": {"resource": "accounts", "unknown": "traits"}}
    for outcome in ("created", "unchanged"):
        assert write(here, messages(accounts=rows), streams=streams).words == [outcome]
    assert here.rows("accounts")[0]["traits"] == {column: 12}


def test_moments_of_the_source_are_left_out_and_told_once(
    here: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    rows: list[Row] = [
        {"externalId": n, "name": "A", "created_at": "2026-01-01", "updatedAt": "2026-01-02"}
        for n in "ab"
    ]
    for unknown in ("fail", "traits"):
        streams = {"accounts": {"resource": "accounts", "unknown": unknown}}
        write(here, messages(accounts=rows), streams=streams)
    assert [row["traits"] for row in here.rows("accounts")] == [{}, {}]
    assert caplog.text.count("created_at, updatedAt: left out") == 2


# Tables that look like the tap's, and copies

LIKE = {"id": "7", "createdAt": "2026-01-01", "updatedAt": "2026-01-01", "name": "A"}


def test_a_table_that_looks_like_the_taps_is_none(here: Workspace) -> None:
    found = write(here, messages(accounts=[{**LIKE, "externalId": "a"}]))
    assert (found.words, keys(here)) == (["created"], ["a"])
    found = write(here, messages(accounts=[LIKE]))
    assert found.words == ["rejected"]
    assert found.failure


@pytest.mark.parametrize("mark", ["additionalProperties", "description", "setting"])
def test_a_copy_is_told_by_what_only_the_tap_writes_or_by_a_setting(
    here: Workspace, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    row: Row = {**LIKE, "mrr": 4, "trait_plan": "gold", "organization": None}
    if mark == "additionalProperties":
        row[mark] = {"plan": "gold"}
    messages_ = messages(accounts=[row, {**row, "externalId": "a"}])
    if mark == "description":
        messages_[0]["schema"]["properties"]["id"]["description"] = "Id given by Vitally."
    streams = {"accounts": {"resource": "accounts", "copy": True}} if mark == "setting" else {}
    found = write(here, messages_, streams=streams)
    assert found.words == ["ignored", "created"], found
    assert here.rows("accounts")[0]["traits"] == {}
    streams = {"accounts": {"resource": "accounts", "copy": False}}
    assert "mrr" in write(here, messages_, streams=streams).failure
    assert "all of its rows" not in caplog.text


def test_a_stream_of_which_every_row_is_ignored_is_not_passed_over(
    here: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    row: Row = {**LIKE, "additionalProperties": {}}
    assert write(here, messages(accounts=[row, row])).words == ["ignored"] * 2
    reported = [record for record in caplog.records if "all of its rows" in record.getMessage()]
    assert [record.levelname for record in reported] == ["WARNING"]


# Columns that a SCHEMA lacks


def test_a_mapped_column_that_a_schema_lacks_is_null(
    here: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    streams = {
        "customers": {
            "resource": "accounts",
            "properties": {"externalId": "customer_no", "name": "company"},
            "traits": {"plan": "plan", "vitally.custom.arr": "arr_eur"},
            "unknown": "ignore",
        }
    }
    rows: list[Row] = [{"customer_no": "a-1", "company": "Example Mills"}]
    twice = [*said("customers", rows), *said("customers", rows)]
    assert write(here, twice, streams=streams, nulls="clear").words == ["created"] * 2
    assert caplog.text.count("its SCHEMA lacks arr_eur, plan") == 1
    more = [{**rows[0], "plan": "gold"}]
    found = write(here, said("customers", more, columns=list(rows[0])), streams=streams)
    assert found.words == ["updated"]
    none: list[Row] = [{"nummer": "a-1"}]
    here.log.clear()
    refused(write(here, said("customers", none), streams=streams), here, "customer_no")


@pytest.mark.parametrize("resource", ["nps_responses", "messages", "custom_objects"])
def test_without_traits_a_resource_takes_no_unknown_column_for_one(
    here: Workspace, resource: str
) -> None:
    streams = {resource: {"resource": resource, "unknown": "traits"}}
    found = write(
        here, messages(**{resource: [{"externalId": "1", "colour": "red"}]}), streams=streams
    )
    refused(found, here, "colour")
