"""The same rows into the sandbox, which was written apart from the target and its other tests."""

from __future__ import annotations

import json

import pytest

from harness.target import Outcome, Row, messages, write
from sandbox import World, serve
from sandbox.writing.switches import Writing
from tests.target.test_activity import CASES, MEETING, PROJECT, SPEECH

KEY = "sandbox"


class There:
    """A sandbox with what the rows refer to."""

    def __init__(self, url: str, world: World) -> None:
        self.url = url
        self._tables = world.tables

    def name(self, table: str, of: str = "name") -> str:
        return str(next(iter(self._tables[table].rows.values()))[of])

    def write(self, said: list[Row], **settings: object) -> Outcome:
        return write(self, said, api_key=KEY, **settings)

    def known(self, row: Row) -> Row:
        """Name somebody and something that this workspace has."""
        text = json.dumps(row).replace("ada@example.com", self.name("admins", "email"))
        found: Row = json.loads(text)
        return found


@pytest.mark.parametrize("stream", [*CASES, "projects", "meeting_transcripts"])
def test_every_resource_is_written_once(stream: str) -> None:
    world = World(seed=1, accounts=4)
    with serve(world, key=KEY) as sandbox:
        there = There(sandbox.url, world)
        said = messages(
            organizations=[{"externalId": "o1", "name": "O"}],
            accounts=[{"externalId": "a1", "name": "A", "organizationExternalId": "o1"}],
            users=[{"externalId": "u1", "email": "u@example.com", "accountExternalId": "a1"}],
            conversations=[{"externalId": "c0", "subject": "Old", "messages": []}],
            custom_objects=[{"name": "deal", "label": "Deal", "writeMode": "writable"}],
            meetings=[{**MEETING, "externalId": "m0"}],
        )
        assert there.write(said).words == ["created"] * 6
        if stream == "projects":
            project: Row = {**PROJECT, "templateName": there.name("projectTemplates")}
            project["projectCategoryName"] = there.name("projectCategories")
            assert there.write(messages(projects=[project])).words == ["created"]
            return
        row: Row
        change: Row
        if stream == "meeting_transcripts":
            row = {"meetingExternalId": "m0", "transcript": SPEECH}
            change = {"transcript": SPEECH * 2}
        else:
            _, row, change = CASES[stream]
        row = there.known(row)
        for name in {"category_name", "categoryName"} & row.keys():
            row[name] = there.name("taskCategories" if stream == "tasks" else "noteCategories")
        for said_now, outcome in (
            (row, "created"),
            (row, "unchanged"),
            ({**row, **change}, "updated"),
        ):
            assert there.write(messages(**{stream: [said_now]})).words == [outcome]
        assert there.write(messages(**{stream: [{**row, **change}]})).words == ["unchanged"]
        gone = messages(**{stream: [{**row, **change, "_deleted": True}]})
        found = there.write(gone, deletes="delete", delete_custom_objects=True)
        none = stream in {"custom_objects", "meeting_transcripts"}
        assert found.words == ["rejected" if none else "deleted"], found.reasons


STRICT = {"all_errors": False, "errors_as_200": True, "extra": "refuse", "deleted_status": 200}
SWITCHES = [
    STRICT,
    {"on_known": "409"},
    {"on_known": "400"},
    {"on_known": "duplicate"},
    {"project_parent": "customerId"},
    {"project_parent": "accountId"},
    {"links": "add", "absent_tags": "keep", "users_deleted": "later"},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
@pytest.mark.parametrize("stream", ["accounts", "tasks", "notes", "meetings", "projects"])
def test_every_switch_leaves_one_record(stream: str, switches: dict[str, object]) -> None:
    world = World(seed=1, accounts=4)
    with serve(world, key=KEY, writing=Writing().but(switches)) as sandbox:
        there = There(sandbox.url, world)
        account = messages(accounts=[{"externalId": "a1", "name": "A"}])
        assert there.write(account).words == ["created"]
        if stream == "accounts":
            row: Row = {"externalId": "a2", "name": "B", "traits": {"plan": "gold"}}
        elif stream == "projects":
            row = {"accountExternalId": "a1", "templateName": there.name("projectTemplates")}
        elif stream == "meetings":
            email = next(r["email"] for r in world.tables["users"].rows.values() if r["email"])
            row = {**MEETING, "participants": [{"email": email}]}
        else:
            row = {
                n: v for n, v in CASES[stream][1].items() if not n.lower().startswith("category")
            }
            row = there.known(row) | {"account_external_id": "a1"}
            row.pop("organizationExternalId", None)
        before = len(world.tables[stream].rows)
        first = there.write(messages(**{stream: [row]}))
        assert first.words == ["created"], first.reasons
        if stream != "projects":
            assert there.write(messages(**{stream: [row]})).words == ["unchanged"]
        assert len(world.tables[stream].rows) == before + 1


@pytest.mark.parametrize("switches", [{}, {"typed_traits": True}, {"doubles": False}], ids=str)
def test_traits_are_written_once_however_they_are_spelled(switches: dict[str, object]) -> None:
    world = World(seed=1, accounts=4)
    spellings: list[Row] = [
        {"vitally.custom.products": ["south", "north"], "sfdc.Renew_Date__c": "2026-01-31"},
        {
            "vitally.custom.products": "{'north', 'south'}",
            "sfdc.Renew_Date__c": "2026-01-31T00:00:00+00:00",
        },
        {
            "vitally.custom.products": '["North", "South"]',
            "sfdc.Renew_Date__c": "2026-01-30 23:00:00.0000001 -0100",
        },
    ]
    streams = {"accounts": {"traits": "all"}}
    with serve(world, key=KEY, writing=Writing().but(switches)) as sandbox:
        there = There(sandbox.url, world)
        for number, traits in enumerate(spellings):
            row = {"externalId": "a1", "name": "A", "traits": {**traits, "ratio": 1 / 3}}
            found = there.write(messages(accounts=[row]), streams=streams)
            assert found.words == ["unchanged" if number else "created"], found.results
