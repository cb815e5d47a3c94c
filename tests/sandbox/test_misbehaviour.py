"""The sandbox misbehaves on demand."""

from __future__ import annotations

import contextlib
import json
from typing import Any, get_args

import pytest
import requests

from sandbox import Fault
from sandbox.faults import ODDITIES, Kind
from tests.sandbox.client import Client


def spoil(client: Client, kind: Any, path: str = "users", **params: Any) -> None:
    client.sandbox.faults.append(Fault(kind, path, **params))


def test_a_status_with_headers_and_body(lively: Client) -> None:
    spoil(lively, "status", status=503, times=1, headers={"Retry-After": "7"}, body="busy")
    answer = lively.ask("users")
    assert (answer.status_code, answer.text, answer.headers["Retry-After"]) == (503, "busy", "7")
    spoil(lively, "status", status=502, times=1)
    assert lively.ask("users").json() == {"error": "Bad Gateway"}
    assert lively.ask("users").status_code == 200


@pytest.mark.parametrize("kind", ["reset_before", "reset_mid_body", "truncated_with_length"])
def test_connections_break(lively: Client, kind: str) -> None:
    spoil(lively, kind, times=1)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)) as it:
        lively.ask("users")
    reset = "reset" in str(it.value).lower()
    assert reset is (kind != "truncated_with_length")
    assert lively.ask("users").status_code == 200


def test_a_chunked_body_breaks_off(lively: Client) -> None:
    spoil(lively, "truncated_chunked", times=1)
    answer = lively.ask("users")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    with pytest.raises(requests.exceptions.JSONDecodeError):
        answer.json()


def test_html_instead_of_json(lively: Client) -> None:
    spoil(lively, "html_200", times=1)
    answer = lively.ask("users")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert answer.text.startswith("<!doctype html>")


def test_json_that_claims_to_be_html(lively: Client) -> None:
    spoil(lively, "wrong_content_type", times=1)
    answer = lively.ask("users")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.content == lively.ask("users").content


def test_an_error_with_status_200(lively: Client) -> None:
    spoil(lively, "error_200", times=1)
    assert list(lively.json("users")) == ["error"]


def test_a_redirect(lively: Client) -> None:
    spoil(lively, "redirect", location="http://localhost:1/elsewhere")
    answer = lively.get(f"{lively.sandbox.url}/resources/users", allow_redirects=False, timeout=20)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://localhost:1/elsewhere")


def test_silence_and_then_an_answer(lively: Client) -> None:
    spoil(lively, "stall", times=1, seconds=0.3)
    with pytest.raises(requests.ReadTimeout):
        lively.get(f"{lively.sandbox.url}/resources/users", timeout=0.1)
    spoil(lively, "stall", times=1, seconds=0.01)
    assert lively.ask("users").status_code == 200


def test_a_body_that_drips(lively: Client) -> None:
    spoil(lively, "slow_drip", times=1, seconds=0.001, pieces=7)
    assert lively.json("users")["results"]


def test_gzip_that_is_none(lively: Client) -> None:
    spoil(lively, "broken_gzip", times=1)
    with pytest.raises(requests.exceptions.ContentDecodingError):
        lively.ask("users")


@pytest.mark.parametrize(
    ("kind", "params", "json_of_it"),
    [
        ("invalid_utf8", {}, b'"a\xffb"'),
        ("nul_chars", {}, rb'"a\u0000b"'),
        ("lone_surrogate", {}, rb'"a\ud83db"'),
        ("huge_number", {"digits": 400}, b"9" * 400),
        ("deep_json", {"depth": 300}, b"[" * 300 + b"]" * 300),
        ("big_page", {"megabytes": 1}, b'"' + b"x" * 1_000_000 + b'"'),
    ],
)
def test_odd_values(lively: Client, kind: str, params: dict[str, int], json_of_it: bytes) -> None:
    key = lively.sandbox.world.ids("users")[0]
    for path in ("users", f"users/{key}", "customFields?model=users", "admins"):
        spoil(lively, kind, path, times=1, **params)
        assert b'"odd":' + json_of_it in lively.ask(path).content
        assert json_of_it not in lively.ask(path).content


def test_a_page_out_of_order(lively: Client) -> None:
    rows = lively.json("users")["results"]
    spoil(lively, "out_of_order", times=1)
    assert lively.json("users")["results"] == rows[::-1]


def test_empty_pages_that_go_on(lively: Client) -> None:
    rows = lively.rows("users", limit=4)
    spoil(lively, "empty_page_with_next", times=2)
    spoil(lively, "empty_page_with_next", times=1, after=1)
    pages = list(lively.pages("users", limit=4))
    assert [len(page["results"]) for page in pages[:5]] == [0, 0, 4, 0, 4]
    assert [row for page in pages for row in page["results"]] == rows
    assert pages[0]["next"] != pages[1]["next"]


def test_a_cursor_that_goes_nowhere(lively: Client) -> None:
    spoil(lively, "repeat_cursor", times=1)
    cursor = lively.json("users", limit=4)["next"]
    assert lively.json("users", limit=4, **{"from": cursor})["next"] == cursor
    assert lively.json("users", limit=4, **{"from": cursor})["next"] != cursor


def test_a_cursor_that_is_not_accepted_any_more(lively: Client) -> None:
    spoil(lively, "cursor_refused", times=1)
    cursor = lively.json("users", limit=4)["next"]
    assert lively.ask("users", **{"limit": "4", "from": cursor}).status_code == 400
    assert lively.ask("users", **{"limit": "4", "from": cursor}).status_code == 200


def test_a_row_on_two_pages(lively: Client) -> None:
    spoil(lively, "duplicate_rows", times=1)
    first = lively.json("users", limit=4)
    second = lively.json("users", limit=4, **{"from": first["next"]})
    assert len(second["results"]) == 5
    assert second["results"][0] == first["results"][-1]


def test_no_date(lively: Client) -> None:
    spoil(lively, "no_date", times=1)
    assert "Date" not in lively.ask("users").headers
    assert "Date" in lively.ask("users").headers


def test_faults_strike_in_order_and_where_they_are_told(lively: Client) -> None:
    faults = lively.sandbox.faults
    faults.append(Fault("status", "accounts/*/notes", status=501))
    faults.append(Fault("status", "npsResponses?target=organization", status=502))
    faults.append(Fault("status", "/resources/users", status=503, times=1, after=1))
    faults.append(Fault("status", "users", status=504, times=1, after=1))
    account = lively.sandbox.world.ids("accounts")[0]
    assert lively.ask("accounts").status_code == 200
    assert lively.ask(f"accounts/{account}/notes").status_code == 501
    assert lively.ask("npsResponses").status_code == 200
    assert lively.ask("npsResponses", limit=1, target="organization").status_code == 502
    assert [lively.ask("users").status_code for _ in range(4)] == [200, 503, 504, 200]
    faults.clear()
    faults.append(Fault("status", probability=0.5))
    assert {lively.ask("users").status_code for _ in range(30)} == {200, 500}


def test_a_fault_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="unknown fault: nothing"):
        Fault("nothing")  # type: ignore[arg-type]


def test_every_kind_of_fault_leaves_the_server_standing(lively: Client) -> None:
    cursor = lively.json("users", limit=4)["next"]
    for kind in get_args(Kind):
        spoil(lively, kind, times=1, seconds=0.001, megabytes=0.1)
        with contextlib.suppress(requests.RequestException, ValueError):
            lively.get(
                f"{lively.sandbox.url}/resources/users",
                params={"limit": "4", "from": cursor},
                allow_redirects=False,
                timeout=20,
            )
        assert lively.ask("users").status_code == 200, kind


def test_refused_resources(lively: Client) -> None:
    world = lively.sandbox.world
    custom_object = world.ids("customObjects")[0]
    lively.sandbox.refuse("customObjects")
    lively.sandbox.refuse("npsResponses?target=organization", 400)
    assert lively.ask("customObjects").status_code == 403
    assert lively.ask(f"customObjects/{custom_object}/instances").status_code == 403
    assert lively.ask("npsResponses", target="organization").status_code == 400
    assert lively.ask("npsResponses").status_code == 200


def test_odd_answers(lively: Client) -> None:
    account = lively.sandbox.world.ids("accounts")[0]
    path = f"accounts/{account}/healthScores"
    bodies = {}
    for kind in ODDITIES:
        lively.sandbox.odd("accounts/*/healthScores", kind)  # type: ignore[arg-type]
        answer = lively.ask(path)
        bodies[kind] = answer.text
        assert answer.status_code == (int(kind) if kind.isdigit() else 200)
    assert bodies["null"] == "null"
    assert bodies["empty"] == ""
    assert json.loads(bodies["error_body"])["error"]
    with pytest.raises(json.JSONDecodeError):
        json.loads(bodies["broken_json"])


def change(client: Client, wanted: dict[str, Any]) -> None:
    url = f"{client.sandbox.url}/control/change"
    assert client.post(url, json=wanted, timeout=20).status_code == 200


def test_a_list_is_cut_where_it_is_asked_for(lively: Client) -> None:
    lively.sandbox.faults.append(Fault("cut_list", "users", rows=2, after=1, times=1))
    assert lively.json("users", limit=5)["next"]
    page = lively.json("users", limit=5)
    assert len(page["results"]) == 2
    assert page["next"] is None
    lively.sandbox.faults.append(Fault("cut_list", "users"))
    assert lively.json("users", limit=5)["results"] == []


def test_a_parameter_may_be_unknown_or_have_other_values(lively: Client) -> None:
    def ids(target: str) -> list[str]:
        answer = lively.json("npsResponses", limit=100, target=target)
        return [row["id"] for row in answer["results"]]

    accounts, organization = ids("accounts"), ids("organization")
    spelling = {"organizations": "organization"}
    fault = Fault("param_spelled", "npsResponses", param="target", spelling=spelling)
    lively.sandbox.faults.append(fault)
    assert ids("organizations") == organization
    assert lively.ask("npsResponses", target="organization").status_code == 400
    lively.sandbox.faults[:] = [Fault("param_ignored", "npsResponses", param="target")]
    assert ids("organization") == ids("anything") == accounts


def test_an_ignored_account_is_nowhere_and_comes_back_as_it_was(lively: Client) -> None:
    key = lively.sandbox.world.ids("accounts")[0]
    before = lively.json(f"accounts/{key}")
    below = lively.json(f"accounts/{key}/users")
    change(lively, {"op": "ignore", "id": key})
    assert lively.ask(f"accounts/{key}").status_code == 404
    assert lively.ask(f"accounts/{key}/users").status_code == 404
    change(lively, {"op": "come_back", "id": key})
    assert lively.json(f"accounts/{key}") == before
    assert lively.json(f"accounts/{key}/users") == below


def test_scores_move_and_nothing_else_does(lively: Client) -> None:
    def rows() -> list[Any]:
        return [
            row
            for resource in ("accounts", "organizations")
            for row in lively.json(resource, limit=100)["results"]
        ]

    before = rows()
    change(lively, {"op": "move_scores"})
    after = rows()
    lively.post(f"{lively.sandbox.url}/control/day", json={"scores": True}, timeout=20)
    again = {row["id"]: row["healthScore"] for row in rows()}
    assert any(again.get(row["id"]) not in {None, row["healthScore"]} for row in after)
    assert [row["healthScore"] for row in before] != [row["healthScore"] for row in after]
    for row in (*before, *after):
        del row["healthScore"]
    assert before == after
