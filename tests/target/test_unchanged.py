"""Rows that change nothing end early, and only these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.target import Row, messages, schema, write
from harness.workspace import Workspace
from target_vitally.lookup.kept_records import KeptRecords, deserialized, key_of_record, serialized
from target_vitally.lookup.store import Store
from target_vitally.mapping.parse_row import Nulls, RecordRef, Rejection, parse_row
from target_vitally.mapping.plan import is_unchanged, plan
from target_vitally.mapping.resource import Fields, TraitField
from target_vitally.mapping.stream_mapping import StreamMapping, map_stream
from target_vitally.resources import RESOURCES
from vitally_api import PageDecoder, decoded_or_none, encoded

FIELDS: Fields = {
    "number": TraitField("number"),
    "flag": TraitField("boolean"),
    "day": TraitField("day"),
    "moment": TraitField("moment"),
    "text": TraitField("text"),
    "tier": TraitField("choice", {"b": "b", "Basic": "b", "p": "p"}),
    "tiers": TraitField("choices", {"b": "b", "Basic": "b", "p": "p"}),
    "other": TraitField(""),
}
VALUES = st.sampled_from(
    [
        *(
            None,
            "",
            "a",
            " a ",
            "A",
            "b",
            "Basic",
            "1",
            "1.0",
            "true",
            "..",
            "<p>a</p>",
            "2026-02-31",
        ),
        *("2026-01-31", "2026-01-31T00:00:00.000Z", "2026-01-31T01:00:00+01:00", 1769817600000),
        *(0, 1, 1.0, -1, 2**53 + 1, Decimal("1.0"), Decimal("0.10"), True, False),
        *([], ["a"], ["a", "b"], ["b", "a"], [1], [True], [1.0], {}, {"a": 1}, {"a": True}),
    ]
)
TRAITS = st.dictionaries(
    st.sampled_from([*FIELDS, "free", "hspot.own", "vitally.custom.x"]), VALUES, max_size=5
)
COLUMNS: dict[str, tuple[str, ...]] = {
    "users": ("externalId", "name", "email", "joinDate", "unsubscribedFromConversations"),
    "accounts": ("externalId", "name", "organizationId"),
    "tasks": ("externalId", "name", "description", "dueDate", "tags", "completedAt"),
    "nps_responses": ("externalId", "score", "respondedAt", "feedback"),
    "conversations": ("externalId", "subject"),
}
PROTECTED = ("hspot.*",)
LINKS = st.sampled_from([None, None, "", "a", "b", "..", 7, '["a", "b"]', ["a"], ["a", "b"], []])


@st.composite
def rows_and_records(draw: st.DrawFn) -> tuple[StreamMapping, Row, Row]:
    """Draw a row, and a record that says the same as most of it."""
    name = draw(st.sampled_from(sorted(COLUMNS)))
    resource, columns = RESOURCES[name], COLUMNS[name]
    entry = draw(st.sampled_from([{}, {"mode": "update"}, {"match": "email"}]))
    if entry.get("match") not in {None, *resource.keys}:
        entry = {}
    found_by = entry.get("match") or "externalId"
    traits = ("traits",) if resource.model else ()
    links = ("accountExternalId", "organizationExternalIds") if name == "users" else ()
    mapping = map_stream(name, [*columns, *traits, *links], entry, resource, "upsert")
    row: Row = {column: draw(VALUES) for column in columns if draw(st.booleans())}
    row["externalId"] = draw(st.sampled_from(["k", "k", 4711, "..", "", None]))
    if "email" in columns:
        row["email"] = draw(st.sampled_from(["u@example.com", " U@Example.com", None, 7]))
    record: Row = {"id": "an id", "externalId": "4711" if row["externalId"] == 4711 else "k"}
    others = {name: value for name, value in row.items() if name not in {"externalId", found_by}}
    record |= {n: v if draw(st.booleans()) else draw(VALUES) for n, v in others.items()}
    if name == "users":
        row["accountExternalId"] = draw(LINKS)
        row["organizationExternalIds"] = draw(LINKS)
        record["accounts"] = [
            {"id": f"id-{each}"} for each in draw(st.sampled_from(["", "a", "ab"]))
        ]
        record["organizations"] = draw(st.sampled_from([None, [], [{"id": "id-a"}]]))
    if found_by == "email":
        record["email"] = draw(st.sampled_from(["u@example.com", "U@example.com", "7"]))
    if traits and draw(st.booleans()):
        row["traits"] = draw(TRAITS)
        record["traits"] = {
            path: value if draw(st.integers(0, 5)) else draw(VALUES)
            for path, value in row["traits"].items()
        }
    record["archivedAt"] = draw(st.sampled_from([None, None, None, "2026-01-01T00:00:00.000Z"]))
    return replace(mapping, resource=replace(resource, fields=FIELDS)), row, as_kept(record)


def ids_of(references: Mapping[str, Sequence[RecordRef] | None]) -> dict[str, list[str] | None]:
    """Return the ids of what a row refers to; None for what a null empties."""
    return {
        name: None if refs is None else [f"id-{ref.value}" for ref in refs]
        for name, refs in references.items()
    }


def as_kept(record: Row) -> Row:
    """Return a record as it comes back from where it is kept."""
    read: Row = decoded_or_none(encoded(record))
    return read


@given(rows_and_records(), st.sampled_from(["omit", "clear"]))
def test_what_ends_early_is_what_the_plan_finds_unchanged(
    drawn: tuple[StreamMapping, Row, Row], nulls: Nulls
) -> None:
    mapping, row, record = drawn
    row = as_kept(row)
    try:
        parsed = parse_row(mapping, row, nulls, PROTECTED, FIELDS)
    except Rejection:
        return
    if parsed.key is None:
        return
    assume(key_of_record(parsed.key.by, record) == parsed.key.value)
    ids = ids_of(parsed.references)
    body = {name: value for name, value in parsed.properties.items() if name != "id"} | ids
    made = plan(mapping.resource, mapping.mode, parsed, body, [record])
    linked = {name: ids_ for name, ids_ in ids.items() if ids_}
    if len(linked) < len(ids):  # `UnchangedRows` leaves these to the plan
        return
    early = is_unchanged(mapping.resource, parsed, linked, record)
    assert not early or made.outcome == "unchanged"


LINKED = st.none() | st.lists(st.fixed_dictionaries({"id": st.text(max_size=3), "name": st.text()}))


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.text(min_size=1), "traits": TRAITS, "accounts": LINKED, "score": VALUES},
            optional={"externalId": st.text(), "organizations": LINKED, "joinDate": VALUES},
        ),
        max_size=4,
    ),
    st.none() | st.text(max_size=3),
)
def test_a_page_in_which_something_is_skipped_says_the_same(
    records: list[Row], after: str | None
) -> None:
    users = RESOURCES["users"]
    raw = encoded({"results": records, "next": after, "atEnd": after is None})
    page = PageDecoder(*users.compared)(raw)
    if b"\\u0000" in raw:
        assert page is None
        return
    whole = decoded_or_none(raw)
    assert (page["next"], page["atEnd"]) == (whole["next"], whole["atEnd"])
    keeper = KeptRecords(users, Store())
    keeper.want(None)
    kept = [deserialized(serialized(keeper.part(record))) for record in page["results"]]
    known = {*users.compared[0], *users.compared[1]}
    assert kept == [
        {
            name: [{"id": each["id"]} for each in value]
            if name in users.compared[1] and value
            else value
            for name, value in record.items()
            if name in known
        }
        for record in whole["results"]
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"results": [{"id": "a"}], "pagination": {"next": "x"}}',
        b'{"data": [{"id": "a"}]}',
        b'[{"id": "a"}]',
        b'{"results": [{"id": "a", "accounts": ["b"]}], "next": null}',
        b'{"results": [{"id": "a", "name": NaN}], "next": null}',
        b'{"results": ["a"], "next": null}',
        b"",
    ],
)
def test_pages_in_another_shape_are_left_to_who_can_read_them(body: bytes) -> None:
    assert PageDecoder(*RESOURCES["users"].compared)(body) is None


# Rows that others have to do with


def put_users(here: Workspace, number: int) -> list[Row]:
    """Put users there; return rows that say the same."""
    account = here.put("accounts", externalId="a", name="A")
    for each in range(number):
        here.put(
            "users",
            externalId=f"u{each}",
            email=f"u{each}@example.com",
            name="N",
            accountIds=[account["id"]],
            traits={"plan": "gold", "hspot.own": "x"},
        )
    said = {"name": "N", "traits": {"plan": "gold", "hspot.own": "y", "vitally.custom.none": None}}
    return [
        {"externalId": f"u{each}", "email": f"u{each}@example.com", **said}
        for each in range(number)
    ]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_row_that_takes_back_what_one_before_it_says_is_written(
    here: Workspace, size: int
) -> None:
    first, second, *_ = put_users(here, 3)
    rows = [{**first, "name": "new"}, second, first]
    found = write(here, messages(users=rows), batch_size_rows=size)
    words = ["updated", "unchanged", "updated"] if size < 100 else ["unchanged"] * 3
    assert found.words == words
    assert [row["name"] for row in here.rows("users")] == ["N"] * 3


@pytest.mark.parametrize("size", [1, 100])
def test_a_row_by_another_key_that_takes_it_back_is_written(here: Workspace, size: int) -> None:
    rows = put_users(here, 3)
    by_email = {"email": rows[0]["email"], "name": "N"}
    streams = {"people": {"resource": "users", "match": "email"}}
    said = [
        *(
            schema("users", rows),
            {"type": "RECORD", "stream": "users", "record": {**rows[0], "name": "M"}},
        ),
        *(schema("people", [by_email]), {"type": "RECORD", "stream": "people", "record": by_email}),
    ]
    found = write(here, said, streams=streams, batch_size_rows=size)
    assert found.words == ["updated", "updated"]
    assert [row["name"] for row in here.rows("users")] == ["N"] * 3


@pytest.mark.parametrize("size", [1, 2, 100])
def test_an_unchanged_row_keeps_its_record_from_a_delete_before_it(
    here: Workspace, size: int
) -> None:
    rows = put_users(here, 4)
    said = [{**rows[0], "_deleted": True}, *rows]
    found = write(here, messages(users=said), deletes="delete", batch_size_rows=size)
    assert found.words == ["unchanged"] * 5
    assert len(here.rows("users")) == 4


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_delete_after_an_unchanged_row_is_carried_out(here: Workspace, size: int) -> None:
    rows = put_users(here, 4)
    said = [*rows, {**rows[0], "_deleted": True}]
    found = write(here, messages(users=said), deletes="delete", batch_size_rows=size)
    assert found.words == ["deleted" if size == 100 else "unchanged", *["unchanged"] * 3, "deleted"]
    assert len(here.rows("users")) == 3


@pytest.mark.parametrize("size", [1, 3])
def test_a_row_behind_one_that_waits_for_its_parent_comes_after_it(
    here: Workspace, size: int
) -> None:
    rows = put_users(here, 3)
    waits = {**rows[0], "name": "new", "accountExternalId": "later"}
    here.put("accounts", externalId="b", name="B")
    said = [
        *messages(users=[waits, *rows])[:-1],
        *messages(accounts=[{"externalId": "later", "name": "L"}]),
    ]
    found = write(here, said, batch_size_rows=size)
    assert found.words == [*["updated"] * 2, "unchanged", "unchanged", "created"]
    assert here.rows("users")[0]["name"] == "N"


@pytest.mark.parametrize("size", [2, 100])
def test_what_is_to_be_said_of_traits_is_said_once(
    here: Workspace, caplog: pytest.LogCaptureFixture, size: int
) -> None:
    rows = put_users(here, 6)
    for row in rows[4:]:
        row["traits"] = {**row["traits"], "vitally.custom.none": "gold", "stripe.own": 1}
    found = write(here, messages(users=rows), batch_size_rows=size, dry_run=True)
    assert found.words == [*["unchanged"] * 4, "updated", "updated"]
    for path in ("hspot.own belongs", "stripe.own belongs", "no custom field vitally.custom.none"):
        assert sum(path in line for line in caplog.messages) == 1


def test_links_that_are_there_change_nothing(here: Workspace) -> None:
    rows = put_users(here, 30)
    for row in rows:
        row["accountExternalId"] = "a"
    rows[7]["accountExternalId"] = "b"
    here.put("accounts", externalId="b", name="B")
    found = write(here, messages(users=rows))
    assert found.words == ["updated" if each == 7 else "unchanged" for each in range(30)]


def test_an_archived_record_is_not_unchanged(here: Workspace) -> None:
    account = here.put("accounts", externalId="a", name="A")
    task = here.put("tasks", externalId="t", name="T", accountId=account["id"])
    task["archivedAt"] = "2026-01-01T00:00:00.000Z"
    found = write(here, messages(tasks=[{"externalId": "t", "name": "T"}]))
    assert found.words == ["rejected"]


def test_only_changed_off_sends_every_row(here: Workspace) -> None:
    rows: list[Any] = put_users(here, 3)
    assert write(here, messages(users=rows), only_changed=False).words == ["updated"] * 3
