"""What is no external id: the id of a record, which would make a second one of it, and blanks."""

from __future__ import annotations

from typing import Any

import pytest

from harness.target import Row, messages, write
from harness.workspace import Workspace
from tests.target.test_caps import accounts, new

ID = "abcdef01-0000-4000-8000-00000000000f"


@pytest.mark.parametrize("shape", [str, str.upper, lambda id_: id_.replace("-", "")])
@pytest.mark.parametrize("others", [0, 20])
def test_an_id_of_vitally_is_no_external_id(here: Workspace, shape: Any, others: int) -> None:
    account = here.put("accounts", id=ID, externalId="a", name="A")
    accounts(here, others)
    row = {"externalId": shape(account["id"]), "name": "other"}
    found = write(here, messages(accounts=[row, *new(others)]))
    assert found.words[0] == "rejected"
    assert "its externalId is the id of a record in Vitally" in found.reasons
    assert here.rows("accounts")[0]["name"] == "A"
    assert len(here.rows("accounts")) == 1 + 2 * others


@pytest.mark.parametrize("stream", ["users", "tasks", "deals", "meetings"])
@pytest.mark.parametrize("mode", ["upsert", "create"])
def test_no_resource_takes_an_id_of_its_own(here: Workspace, stream: str, mode: str) -> None:
    account = here.put("accounts", externalId="a", name="A")
    object_ = here.put("customObjects", name="deal", label="Deal")
    here.put("users", id=ID, externalId="u", email="u@example.com", accountIds=[account["id"]])
    here.put("tasks", id=ID, externalId="t", name="T", accountId=account["id"])
    here.put("meetings", id=ID, externalId="m", title="M", accountIds=[account["id"]])
    here.put(
        "instances",
        id=ID,
        customObjectId=object_["id"],
        externalId="i",
        name="I",
        accountId=account["id"],
    )
    row: dict[str, Row] = {
        "users": {"email": "new@example.com", "externalId": ID, "accountExternalId": "a"},
        "tasks": {"externalId": ID, "name": "T", "accountExternalId": "a"},
        "deals": {
            "externalId": ID,
            "customObjectName": "deal",
            "name": "I",
            "accountExternalId": "a",
        },
        "meetings": {"externalId": ID, "title": "M"},
    }
    streams = {
        "users": {"mode": mode, "match": "email"},
        "deals": {"mode": mode, "resource": "custom_object_instances"},
    }
    found = write(here, messages(**{stream: [row[stream]]}), streams=streams, mode=mode)
    assert "its externalId is the id of a record in Vitally" in found.reasons
    assert here.writes() == []


def test_an_external_id_may_look_like_an_id(here: Workspace) -> None:
    organization = here.put("organizations", externalId="o", name="O")
    row = {"externalId": organization["id"], "name": "A"}
    assert write(here, messages(accounts=[row])).words == ["created"]
    assert write(here, messages(accounts=[row])).words == ["unchanged"]


@pytest.mark.parametrize("blank", ["", " ", "\t \n"])
def test_blanks_are_no_external_id(here: Workspace, blank: str) -> None:
    """A column of type ``char(8)`` has eight blanks where it has nothing."""
    rows: list[Row] = [
        {"externalId": blank, "name": "A"},
        {"externalId": blank, "_deleted": True},
    ]
    found = write(here, messages(accounts=rows), deletes="delete")
    assert found.words == ["rejected", "rejected"]
    assert "it has no externalId" in found.reasons
    assert here.writes() == []
