"""Each switch stands for something that nobody knows of the live API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox import Fault, Rate, Writing
from tests.sandbox.client import NOW
from tests.sandbox.writes import Writer, errors, writing


@pytest.fixture
def here() -> Iterator[Writer]:
    with writing() as writer:
        yield writer


def note(here: Writer, **more: Any) -> dict[str, Any]:
    account = here.account()["id"]
    return here.post("notes", note="x", noteDate=NOW, accountId=account, **more)


@pytest.mark.parametrize("status", ["409", "400"])
def test_a_known_external_id_may_be_refused(here: Writer, status: str) -> None:
    here.account()
    here.turn(on_known=status)
    answer = here.send("POST", "accounts", {"externalId": "a-1", "name": "x"})
    assert answer.status_code == int(status)


def test_a_known_external_id_may_be_there_twice(here: Writer) -> None:
    here.turn(on_known_of={"notes": "duplicate"})
    assert note(here, externalId="n-1")["id"] != note(here, externalId="n-1")["id"]
    assert len(here.client.rows("accounts")) == 1


@pytest.mark.parametrize(
    ("does", "same", "archived"),
    [("update", True, True), ("revive", True, False), ("new", False, False)],
)
def test_an_external_id_of_an_archived_row(
    here: Writer, does: str, same: bool, archived: bool
) -> None:
    first = note(here, externalId="n-1")
    here.delete(f"notes/{first['id']}")
    here.turn(on_archived=does)
    second = note(here, externalId="n-1")
    assert ((second["id"] == first["id"]), bool(second["archivedAt"])) == (same, archived)


def test_links_may_be_added_to(here: Writer) -> None:
    here.user()
    other = here.account("a-2")["id"]
    here.turn(links="add")
    assert len(here.put("users/u-1", accountIds=[other])["accounts"]) == 2


def test_extra_properties_may_be_refused(here: Writer) -> None:
    assert here.account(color="red")["externalId"] == "a-1"
    here.turn(extra="refuse")
    answer = here.send("POST", "accounts", {"externalId": "x", "name": "x", "color": "red"})
    assert errors(answer) == [("", "additionalProperties")]


def test_a_project_may_want_a_customer(here: Writer) -> None:
    here.turn(project_parent="customerId")
    template, account = here.world.ids("projectTemplates")[0], here.account()["id"]
    answer = here.send("POST", "projects", {"templateId": template, "accountId": account})
    assert errors(answer) == [("", "required")]
    assert "customerId" in answer.text
    assert here.post("projects", templateId=template, customerId=account)["accountId"] == account


def test_a_write_may_cost_more_than_a_read() -> None:
    options = {"rate": Rate("bucket", 10, 3600, terse=True), "writing": Writing(cost=5)}
    with writing(**options) as here:
        first = here.send("POST", "accounts", {"externalId": "a", "name": "x"})
        assert first.headers["RateLimit-Remaining"] == "5"
        assert here.client.ask("accounts").headers["RateLimit-Remaining"] == "4"
        refused = here.send("POST", "accounts", {"externalId": "b", "name": "x"})
        names = {name.lower() for name in refused.headers if "limit" in name.lower()}
        assert (refused.status_code, names) == (429, {"ratelimit-reset"})
        assert refused.headers["RateLimit-Reset"] == "1"
        assert here.world.ids("accounts") == [first.json()["id"]]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("kind", ["reset_before", "status", "truncated_with_length"])
def test_an_answer_may_be_lost_after_the_write_or_before(
    here: Writer, kind: Any, done: bool
) -> None:
    fault = Fault(kind, "accounts", times=1, method="POST", done=done, status=502)
    here.client.sandbox.faults.append(fault)
    assert here.client.rows("accounts") == []
    body = {"externalId": "a-1", "name": "x"}
    try:
        assert here.send("POST", "accounts", body).status_code == 502
    except requests.RequestException:
        assert kind != "status"
    assert len(here.world.ids("accounts")) == done


def test_refusals_may_come_with_200_and_with_the_first_error_alone(here: Writer) -> None:
    here.turn(all_errors=False)
    assert errors(here.send("POST", "accounts", {})) == [("", "required")]
    here.turn(errors_as_200=True)
    answer = here.send("POST", "accounts", {})
    assert answer.status_code == 200
    assert answer.json()["error"]["message"] == "validation failed"


def test_text_may_stay_as_it_is(here: Writer) -> None:
    here.turn(strip_html=False, fill_braces=False)
    text = "<script>{{account.traits.plan}}</script>"
    assert note(here)["note"] == "x"
    account = here.get("accounts/a-1")["id"]
    assert here.post("notes", note=text, noteDate=NOW, accountId=account)["note"] == text


def test_absent_tags_are_dropped_or_kept(here: Writer) -> None:
    path = f"notes/{note(here, tags=['a'])['id']}"
    here.turn(absent_tags="keep")
    assert here.put(path, subject="s")["tags"] == ["a"]
    here.turn(absent_tags="drop")
    assert here.put(path, subject="s")["tags"] == []


def test_a_deleted_user_may_stay_in_sight_for_a_day(here: Writer) -> None:
    here.user()
    here.turn(users_deleted="later")
    here.world.clock.advance(60)
    here.delete("users/u-1")
    user = here.get("users/u-1")
    assert user["updatedAt"] > user["createdAt"]
    here.world.clock.advance(86_400)
    assert here.is_gone("users/u-1")


def test_a_new_account_may_be_touched_once_more(here: Writer) -> None:
    here.turn(touched_after=600)
    made = here.account()
    here.world.clock.advance(601)
    assert here.get("accounts/a-1")["updatedAt"] > made["updatedAt"]


def test_an_archived_meeting_may_be_changed(here: Writer) -> None:
    here.user(email="uma@example.com")
    uma = {"email": "uma@example.com", "type": "attendee"}
    here.post("meetings", externalId="cal-1", title="QBR", participants=[uma])
    here.delete("meetings/cal-1")
    here.turn(archived_meeting="update")
    assert here.put("meetings/cal-1", title="x")["title"] == "x"


def test_notes_may_go_by_a_bare_external_id(here: Writer) -> None:
    note(here, externalId="n-1")
    here.turn(bare_external_ids=True)
    assert here.put("notes/n-1", subject="s")["subject"] == "s"


def test_custom_objects_may_be_deleted_with_a_body(here: Writer) -> None:
    made = here.post("customObjects", name="pulse", label="Pulse", writeMode="readonly")
    here.turn(delete_custom_objects=True, deleted_status=200)
    answer = here.send("DELETE", f"customObjects/{made['id']}")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert here.is_gone(f"customObjects/{made['id']}")


def test_traits_that_no_field_stands_behind(here: Writer) -> None:
    traits = {"vitally.custom.tier": "A", "vitally.custom.odd": 1, "plain": 2}
    assert here.account("a-1", traits=traits)["traits"] == traits
    here.turn(unknown_traits="drop")
    kept = here.account("a-2", traits=traits)["traits"]
    assert kept == {"vitally.custom.tier": "A", "plain": 2}
    here.turn(unknown_traits="refuse")
    body = {"externalId": "a-3", "name": "x", "traits": traits}
    assert errors(here.send("POST", "accounts", body)) == [("/traits", "unknown")]


def test_switches_are_shown_and_refused_over_http(here: Writer) -> None:
    url = f"{here.client.sandbox.url}/control/writing"
    here.turn(cost=2)
    assert requests.get(url, timeout=20).json()["cost"] == 2
    for wrong in ({"links": "both"}, {"nothing": 1}):
        assert requests.post(url, json=wrong, timeout=20).status_code == 400
    assert here.client.sandbox.writer.switches == Writing(cost=2)
