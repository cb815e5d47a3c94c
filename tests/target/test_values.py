"""Rows of other sources: values that nobody expects, and tables that each tap writes in its own way."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from harness.target import Row, messages, schema, write
from harness.workspace import Workspace

STARTS = {
    "starts": {
        "resource": "projects",
        "match": "trait:vitally.custom.key",
        "traits": {"vitally.custom.key": "deal"},
    }
}


def project(deal: Any) -> Row:
    return {"deal": deal, "accountExternalId": "a1", "templateName": "Usual", "name": "Start"}


@pytest.fixture
def full(here: Workspace) -> Workspace:
    account = here.put("accounts", externalId="a1", name="A")
    here.put("users", externalId="u1", email="u@example.com", accountIds=[account["id"]])
    here.put("conversations", externalId="c0", subject="Old")
    return here


@pytest.mark.parametrize("odd", [[], {}, [1], {"a": 1}, True], ids=repr)
def test_what_is_no_key_is_one_rejected_row(full: Workspace, odd: Any) -> None:
    found = write(full, messages(starts=[project(odd), project("d1")]), streams=STARTS)
    assert found.words == ["rejected", "created"]
    assert "trait:vitally.custom.key: it takes text" in found.reasons


@pytest.mark.parametrize("name", ["type", "email", "externalId", "userId", "id", "responseStatus"])
@pytest.mark.parametrize("odd", [{"a": 1}, [1], True], ids=repr)
def test_a_person_who_is_none_is_one_rejected_row(full: Workspace, name: str, odd: Any) -> None:
    person = {"email": "u@example.com", name: odd}
    message = {"externalId": "x", "message": "Hi", "from": {"externalId": "u1"}, "to": [person]}
    good = {"externalId": "y", "message": "Hi", "from": {"externalId": "u1"}, "to": []}
    streams: dict[str, list[Row]] = {
        "meetings": [
            {"externalId": "m1", "title": "T", "participants": [person]},
            {"externalId": "m2", "title": "T", "participants": [{"email": "u@example.com"}]},
        ],
        "conversations": [
            {"externalId": "c1", "subject": "S", "messages": [message]},
            {"externalId": "c2", "subject": "S", "messages": [good]},
        ],
        "messages": [{**message, "conversationExternalId": "c0"}],
    }
    found = write(full, messages(**streams))
    assert found.words == ["rejected", "created", "rejected", "created", "rejected"]
    assert "of a person, it takes text" in found.reasons


@pytest.mark.parametrize("odd", [5, "x", {"externalId": ["x"]}, {"externalId": ""}], ids=repr)
def test_a_message_that_is_none_is_one_rejected_row(full: Workspace, odd: Any) -> None:
    rows = [{"externalId": "c1", "subject": "S", "messages": [odd]}]
    assert write(full, messages(conversations=rows)).words == ["rejected"]


@pytest.mark.parametrize("dots", [".", ".."])
@pytest.mark.parametrize(
    ("stream", "row"),
    [
        ("accounts", {"externalId": "?", "name": "A"}),
        ("accounts", {"id": "?", "name": "A"}),
        ("users", {"externalId": "u2", "accountExternalId": "?"}),
        ("messages", {"externalId": "x", "message": "Hi", "conversationId": "?"}),
        ("messages", {"externalId": "x", "message": "Hi", "conversationExternalId": "?"}),
        ("custom_object_instances", {"externalId": "?", "name": "I", "customObjectId": "o"}),
        ("custom_object_instances", {"externalId": "i", "name": "I", "customObjectId": "?"}),
        ("meeting_transcripts", {"meetingId": "?", "transcript": [{"text": "Hi"}]}),
        ("tasks", {"id": "?", "_deleted": True}),
        ("users", {"id": "x", "externalId": "?", "email": "u@example.com"}),
        ("users", {"externalId": "u2", "accountExternalIds": ["a1", "?"]}),
        ("meetings", {"externalId": "m", "title": "T", "participants": [{"externalId": "?"}]}),
        ("users", {"externalId": "?", "_deleted": True}),
    ],
)
def test_dots_never_become_an_address(full: Workspace, stream: str, row: Row, dots: str) -> None:
    said: Row = json.loads(json.dumps(row).replace("?", dots))
    found = write(full, messages(**{stream: [said]}), deletes="delete")
    assert found.words == ["rejected"]
    assert "addresses" in found.reasons
    assert full.writes() == []


@pytest.mark.parametrize("dots", [".", ".."])
def test_dots_of_another_workspace_reject_their_rows_alone(full: Workspace, dots: str) -> None:
    streams: dict[str, list[Row]] = {
        "organizations": [{"id": "o", "externalId": dots, "name": "O"}],
        "accounts": [
            {"id": "x", "externalId": "a2", "name": "A", "organizationId": "o"},
            {"id": "y", "externalId": "a3", "name": "A", "organization": {"externalId": dots}},
            {"id": "z", "externalId": "a4", "name": "A"},
        ],
    }
    copies = {name: {"copy": True} for name in streams}
    found = write(full, messages(**streams), streams=copies)
    assert found.words[0] == "rejected"
    assert found.words[-1] == "created"
    assert all(path in {"accounts", "organizations"} for _, path in full.writes())


@pytest.mark.parametrize(
    "spellings",
    [
        ["4711.00", "4711", "4711.0", "4.711E+3"],
        ["1E+2", "100", "100.0"],
        ["9007199254740993", "9007199254740992", "9007199254740993.0"],
        ["0.1", "0.10000000000000000555"],
    ],
)
def test_a_number_finds_its_record_however_it_is_written(
    full: Workspace, spellings: list[str]
) -> None:
    """The workspace answers with doubles; the numbers stand in the input without quotes."""
    for number, spelled in enumerate(spellings):
        said = messages(starts=[project("NUMBER")])
        text = "\n".join(map(json.dumps, said)).replace('"NUMBER"', spelled)
        found = write(full, text, streams=STARTS)
        assert found.words == ["unchanged" if number else "created"], spelled
    assert len(full.rows("projects")) == 1


def test_all_digits_are_sent_and_what_comes_back_is_no_change(full: Workspace) -> None:
    row = {"externalId": "a1", "traits": {"ratio": "RATIO", "big": "BIG"}}
    text = "\n".join(map(json.dumps, messages(accounts=[row])))
    ratio, big = "41666.66666666666666666667", "9007199254740993"
    text = text.replace('"RATIO"', ratio).replace('"BIG"', big)
    assert write(full, text).words == ["updated"]
    sent = "".join(full.bodies)
    assert ratio in sent
    assert big in sent
    assert write(full, text).words == ["unchanged"]


FIELDS: dict[str, tuple[str, list[Any]]] = {
    "vitally.custom.arr": ("number", []),
    "vitally.custom.share": ("Number", []),
    "vitally.custom.active": ("boolean", []),
    "vitally.custom.since": ("date", []),
    "vitally.custom.seen": ("datetime", []),
    "vitally.custom.synced": ("DATE_TIME", []),
    "vitally.custom.products": (
        "multi-select",
        [{"label": "North", "value": "north"}, {"label": "South", "value": "south"}],
    ),
    "vitally.custom.tier": (
        "select",
        [{"label": "Gold", "value": "gold"}, {"label": "A", "value": 1}],
    ),
    "vitally.custom.code": ("string", []),
    "vitally.custom.note": ("textarea", []),
}
TRAITS = {path: path.rpartition(".")[2] for path in FIELDS}
STREAMS = {
    "crm": {"resource": "accounts", "properties": {"externalId": "no"}, "traits": TRAITS},
}
POSTGRES = {
    "no": "a1",
    "arr": "NUM:1200.50",
    "share": "NUM:41666.66666666666666666667",
    "active": True,
    "since": "2026-01-31",
    "seen": "2026-01-31T23:30:00.123456+02:00",
    "synced": "2026-01-31T12:00:00+00:00",
    "products": ["south", "north"],
    "tier": "gold",
    "code": "007",
    "note": None,
}
TAPS: dict[str, Row] = {
    "meltanolabs-tap-postgres": {},
    "pipelinewise-tap-postgres": {
        "since": "2026-01-31T00:00:00+00:00",
        "seen": "2026-01-31T21:30:00.123456+00:00",
    },
    "pipelinewise-tap-mysql": {
        "since": "2026-01-31T00:00:00+00:00",
        "seen": "2026-01-31T21:30:00.123000+00:00",
        "products": '["north", "south"]',
    },
    "tap-mysql": {
        "since": "2026-01-31T00:00:00.000000Z",
        "seen": "2026-01-31T21:30:00.123456Z",
        "synced": "2026-01-31T12:00:00.000000Z",
        "products": "south,north",
    },
    "meltanolabs-tap-mysql": {
        "active": 1,
        "seen": "2026-01-31 21:30:00.123456",
        "synced": "2026-01-31T12:00:00",
        "products": "{'south', 'north'}",
    },
    "meltanolabs-tap-snowflake": {
        "seen": "2026-01-31 13:30:00.123456789 -0800",
        "synced": "2026-01-31 12:00:00.000",
        "products": '[\n  "north",\n  "south"\n]',
        "tier": "Gold",
    },
    "tap-csv": {
        "arr": "1200.50",
        "share": "41666.66666666666666666667",
        "active": "Yes",
        "products": "{north,south}",
        "note": "",
    },
    "tap-s3-csv": {"arr": "DECIMAL:1200.500", "active": "t", "note": ""},
    "tap-spreadsheets": {"arr": "NUM:1200.5", "active": "NUM:1.0", "synced": "2026-01-31T12:00"},
    "tap-bigquery": {
        "seen": "2026-01-31 21:30:00.123456 UTC",
        "products": ["north", "south", "north"],
    },
}


def said_by(tap: str, **changes: Any) -> str:
    """Write the table as a tap does."""
    row: Row = POSTGRES | TAPS[tap] | changes
    head = schema("crm", [row])
    for name, value in row.items():
        if str(value).startswith("DECIMAL:"):
            kinds = {"type": ["null", "string"], "format": "singer.decimal"}
            head["schema"]["properties"][name] = kinds
            row[name] = value.removeprefix("DECIMAL:")
    said = [head, {"type": "RECORD", "stream": "crm", "record": row}]
    return re.sub(r'"NUM:([^"]*)"', r"\1", "\n".join(map(json.dumps, said)))


@pytest.fixture
def typed(full: Workspace) -> Workspace:
    for path, (kind, options) in FIELDS.items():
        full.put("customFields", label=path, path=path, type=kind, options=options)
    return full


@pytest.mark.parametrize("first", TAPS)
def test_after_any_tap_no_other_tap_of_the_same_table_has_anything_to_write(
    typed: Workspace, first: str
) -> None:
    assert write(typed, said_by(first), streams=STREAMS).words == ["updated"]
    typed.log.clear()
    for then in TAPS:
        found = write(typed, said_by(then), streams=STREAMS)
        assert found.words == ["unchanged"], (then, found.results)
    assert typed.writes() == []


def test_what_differs_is_written_by_the_type_of_its_field(typed: Workspace) -> None:
    write(typed, said_by("tap-csv"), streams=STREAMS)
    sent = typed.rows("accounts")[0]["traits"]
    assert sent["vitally.custom.active"] is True
    assert sent["vitally.custom.arr"] == 1200.5
    assert sent["vitally.custom.since"] == "2026-01-31"
    assert sent["vitally.custom.seen"] == "2026-01-31T21:30:00.123Z"
    assert sent["vitally.custom.code"] == "007"
    changes: list[Row] = [
        {"arr": "NUM:1200.51"},
        {"active": "no"},
        {"since": "2026-02-01T00:00:00+00:00"},
        {"seen": "2026-01-31T21:30:00.124Z"},
        {"products": "[]"},
        {"tier": "A"},
        {"code": "7"},
    ]
    for change in changes:
        found = write(typed, said_by("tap-csv", **change), streams=STREAMS, dry_run=True)
        assert found.words == ["updated"], change
        assert list(found.results[0]["changes"]) == [f"traits.vitally.custom.{next(iter(change))}"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"tier": "platinum"},
            "vitally.custom.tier: it is not one of its choices: it takes gold, 1",
        ),
        ({"products": ["north", "east"]}, "vitally.custom.products: it is not one of its choices"),
        ({"products": "north,east"}, "vitally.custom.products: it is not one of its choices"),
        ({"arr": "many"}, "vitally.custom.arr: it takes a number"),
        ({"since": "N/A"}, "vitally.custom.since: it takes a date"),
        ({"seen": "soon"}, "vitally.custom.seen: it takes a date and time"),
        ({"active": "maybe"}, "vitally.custom.active: it takes true or false"),
    ],
)
@pytest.mark.parametrize("dry_run", [True, False])
def test_what_a_field_does_not_take_is_rejected_by_its_name(
    typed: Workspace, change: Row, reason: str, *, dry_run: bool
) -> None:
    found = write(typed, said_by("tap-csv", **change), streams=STREAMS, dry_run=dry_run)
    assert found.words == ["rejected"]
    assert reason in found.reasons
    assert str(next(iter(change.values()))) not in found.reasons


def test_empty_text_is_null_where_no_text_belongs(typed: Workspace) -> None:
    write(typed, said_by("tap-csv"), streams=STREAMS)
    empty = dict.fromkeys(("arr", "active", "since", "seen", "products", "tier"), "")
    assert write(typed, said_by("tap-csv", **empty), streams=STREAMS).words == ["unchanged"]
    found = write(typed, said_by("tap-csv", **empty), streams=STREAMS, nulls="clear")
    assert found.words == ["updated"]
    left = typed.rows("accounts")[0]["traits"]
    assert {path.rpartition(".")[2] for path in left} == {"share", "synced", "code"}
    again = write(typed, said_by("tap-csv", **empty), streams=STREAMS, nulls="clear")
    assert again.words == ["unchanged"]


def test_fields_are_asked_for_once_and_only_where_traits_are_written(typed: Workspace) -> None:
    write(typed, messages(accounts=[{"externalId": "a1", "name": "A"}]))
    assert ("GET", "customFields") not in typed.log
    rows = [{"externalId": f"b{n}", "name": "B", "traits": {"plan": "x"}} for n in range(5)]
    write(typed, messages(accounts=rows), batch_size_rows=1)
    assert typed.log.count(("GET", "customFields")) == 1


@pytest.mark.parametrize("status", ["403", "404", "400"])
def test_a_workspace_that_tells_no_fields_is_written_as_before(
    typed: Workspace, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    typed.fault = lambda _method, path, _count: status if path == "customFields" else ""
    rows = [{"externalId": f"b{n}", "name": "B", "traits": {"plan": "x"}} for n in range(3)]
    assert write(typed, messages(accounts=rows), batch_size_rows=1).words == ["created"] * 3
    assert caplog.text.count("does not tell its custom fields") == 1
    assert write(typed, messages(accounts=rows)).words == ["unchanged"] * 3


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_trait_that_is_no_field_is_told(
    typed: Workspace, caplog: pytest.LogCaptureFixture, *, dry_run: bool
) -> None:
    rows = [
        {"externalId": f"b{n}", "name": "B", "traits": {"vitally.custom.wrong": n, "plan": n}}
        for n in range(3)
    ]
    write(typed, messages(accounts=rows), dry_run=dry_run)
    assert caplog.text.count("no custom field vitally.custom.wrong") == 1
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert not [warning for warning in warnings if "plan" in warning]


def test_a_key_that_is_a_number_is_found_out_of_text(full: Workspace) -> None:
    full.put("customFields", label="Key", path="vitally.custom.key", type="number")
    for spelled in ("1002.0", "1002", 1002, " 1002.00"):
        write(full, messages(starts=[project(spelled)]), streams=STARTS)
    assert [row["traits"]["vitally.custom.key"] for row in full.rows("projects")] == [1002]


def test_instances_are_compared_by_the_fields_of_their_object(full: Workspace) -> None:
    full.put("customObjects", name="deal", label="Deal", writeMode="writable", customFields=[])
    full.put("customFields", label="Won", path="vitally.custom.won", type="boolean")
    row = {
        "externalId": "i1",
        "name": "Renewal",
        "customObjectName": "deal",
        "accountExternalId": "a1",
        "traits": {"vitally.custom.won": "Yes"},
    }
    assert write(full, messages(custom_object_instances=[row])).words == ["created"]
    assert full.rows("instances")[0]["traits"] == {"vitally.custom.won": True}
    row["traits"] = {"vitally.custom.won": 1}
    assert write(full, messages(custom_object_instances=[row])).words == ["unchanged"]
    row["traits"] = {"vitally.custom.won": "maybe"}
    assert write(full, messages(custom_object_instances=[row])).words == ["rejected"]


def test_what_only_a_create_takes_is_no_silence(full: Workspace) -> None:
    other = full.put("accounts", externalId="a2", name="B")
    assert write(full, messages(starts=[project("d1")]), streams=STARTS).words == ["created"]
    moved = {**project("d1"), "accountExternalId": "a2"}
    found = write(full, messages(starts=[moved]), streams=STARTS)
    assert found.words == ["ignored"]
    assert "only a create takes accountId" in found.reasons
    found = write(full, messages(starts=[{**moved, "name": "Other"}]), streams=STARTS)
    assert found.words == ["updated"]
    assert "only a create takes accountId" in found.reasons
    assert full.rows("projects")[0]["accountId"] != other["id"]
    people = {"people": {"resource": "users", "match": "email"}}
    said = messages(people=[{"email": "u@example.com", "externalId": "u9"}])
    found = write(full, said, streams=people)
    assert found.words == ["ignored"]
    assert "only a create takes externalId" in found.reasons
