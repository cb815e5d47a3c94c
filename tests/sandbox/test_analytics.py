"""The Analytics API: accepted now, applied later, and every switch of it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests

from sandbox import Fault, Rate
from tests.sandbox.writes import Row, Writer, writing

numbers = count(1)


@pytest.fixture
def here() -> Iterator[Writer]:
    with writing() as writer:
        yield writer


def post(
    here: Writer, messages: Any, endpoint: str = "batch", key: str | None = "sandbox-analytics"
) -> requests.Response:
    headers = {} if key is None else {"Authorization": f"Basic {key}"}
    url = f"{here.client.sandbox.url}/analytics/v1/{endpoint}"
    return requests.post(url, json=messages, headers=headers, timeout=20)


def send(here: Writer, *messages: Row) -> None:
    numbered = [{"messageId": f"m{next(numbers)}", **message} for message in messages]
    answer = post(here, numbered)
    assert (answer.status_code, answer.json()) == (200, {"message": "Success."})


def account(id_: str = "a-1", **more: Any) -> Row:
    traits = more.pop("traits", {})
    return {"type": "account", "accountId": id_, "traits": {"name": "Mills", **traits}, **more}


def user(id_: str = "u-1", account: str = "a-1", **traits: Any) -> Row:
    return {"type": "user", "userId": id_, "accountId": account, "traits": traits}


def events(here: Writer) -> Row:
    found: Row = requests.get(f"{here.client.sandbox.url}/control/events", timeout=20).json()
    return found


def test_every_type_is_applied(here: Writer) -> None:
    deal = here.post("customObjects", name="deal", label="Deal", writeMode="writable")["id"]
    send(
        here,
        {"type": "organization", "organizationId": "o-1", "traits": {"name": "Group", "size": 5}},
        account(organizationId="o-1", traits={"plan": "gold"}),
        user(name="Uma", email="u@example.com", createdAt="2026-01-01T00:00:00.000Z", role="x"),
        {
            "type": "customobjectinstance",
            "externalId": "d-1",
            "customObjectId": deal,
            "accountId": "a-1",
            "name": "Renewal",
            "traits": {"stage": "won"},
        },
        {"type": "track", "event": "Opened", "properties": {"n": 1}, "userId": "u-1"},
    )
    group, mills, uma = (
        here.get("organizations/o-1"),
        here.get("accounts/a-1"),
        here.get("users/u-1"),
    )
    assert (group["name"], group["traits"], group["accountsCount"]) == ("Group", {"size": 5}, 1)
    assert (mills["organizationId"], mills["traits"]) == (group["id"], {"plan": "gold"})
    assert (uma["name"], uma["email"], uma["traits"]) == ("Uma", "u@example.com", {"role": "x"})
    assert uma["joinDate"] == "2026-01-01T00:00:00.000Z"
    (instance,) = here.client.rows(f"customObjects/{deal}/instances")
    assert (instance["name"], instance["customerId"]) == ("Renewal", mills["id"])
    assert events(here)["count"] == 1
    send(here, account("a-2"), user(account="a-2"))
    assert {each["externalId"] for each in here.get("users/u-1")["accounts"]} == {"a-1", "a-2"}
    send(here, {"type": "unlink", "userId": "u-1", "accountId": "a-1"})
    assert [each["externalId"] for each in here.get("users/u-1")["accounts"]] == ["a-2"]
    assert [here.get(f"accounts/a-{n}")["usersCount"] for n in (1, 2)] == [0, 1]


def test_each_endpoint_takes_one_message(here: Writer) -> None:
    message = account(messageId="m")
    del message["type"]
    assert post(here, message, "account").status_code == 200
    assert here.get("accounts/a-1")["name"] == "Mills"
    assert post(here, message, "nothing").status_code == 404


def test_it_takes_its_own_key_alone_and_only_posts(here: Writer) -> None:
    assert post(here, [], key="sandbox").status_code == 401
    assert post(here, [], key=None).status_code == 401
    url = f"{here.client.sandbox.url}/analytics/v1/batch"
    assert (
        requests.get(
            url, headers={"Authorization": "Basic sandbox-analytics"}, timeout=9
        ).status_code
        == 405
    )
    wrong = {"Authorization": "Basic sandbox-analytics"}
    assert (
        requests.get(
            f"{here.client.sandbox.url}/resources/accounts", headers=wrong, timeout=9
        ).status_code
        == 401
    )


BAD: list[Any] = [
    {"type": "account", "accountId": "a-1", "messageId": "m"},
    {"type": "account", "accountId": "a-1", "traits": {}, "messageId": "m"},
    {"type": "account", "accountId": 1, "traits": {"name": "A"}, "messageId": "m"},
    {"type": "account", "accountId": "a-1", "traits": {"name": "A"}},
    {"type": "user", "userId": "u-1", "traits": {}, "messageId": "m"},
    {"type": "track", "event": "x", "properties": {}, "messageId": "m"},
    {"type": "unlink", "userId": "u-1", "messageId": "m"},
    {"type": "user", "userId": "u-1", "accountId": "a-1", "traits": 5, "messageId": "m"},
    {"type": "nothing", "messageId": "m"},
    5,
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_one_bad_message_refuses_all(here: Writer, bad: Any) -> None:
    answer = post(here, [account(messageId="good"), bad])
    assert answer.status_code == 400
    assert here.is_gone("accounts/a-1")


def test_a_request_has_a_size(here: Writer) -> None:
    many = [account(f"a-{n}", messageId=str(n)) for n in range(101)]
    assert post(here, many).status_code == 400
    assert post(here, many[:100]).status_code == 200
    large = account(messageId="large", traits={"text": "x" * 500_000})
    assert post(here, [large]).status_code == 413


def test_poison_and_blocked_types(here: Writer) -> None:
    here.turn(analytics_poison="bad", analytics_blocked=["track"])
    assert post(here, [account(messageId="1"), account("bad", messageId="2")]).status_code == 400
    opened = {"type": "track", "event": "x", "properties": {}, "userId": "u", "messageId": "3"}
    answer = post(here, [opened])
    assert (answer.status_code, "blocked" in answer.text) == (400, True)
    assert post(here, [account(messageId="1")]).status_code == 200


def test_what_was_accepted_shows_later(here: Writer) -> None:
    here.turn(analytics_delay=30)
    send(here, account())
    assert here.is_gone("accounts/a-1")
    here.world.clock.advance(29)
    assert here.is_gone("accounts/a-1")
    here.world.clock.advance(1)
    assert here.get("accounts/a-1")["name"] == "Mills"


def test_messages_are_applied_in_another_order(here: Writer) -> None:
    here.turn(analytics_delay=10, analytics_order="shuffled")
    for n in range(30):
        send(here, account(traits={"n": n}))
    here.world.clock.advance(20)
    assert here.get("accounts/a-1")["traits"]["n"] != 29


def test_some_are_never_applied(here: Writer) -> None:
    here.turn(analytics_drops=1.0)
    send(here, account())
    assert here.is_gone("accounts/a-1")


@pytest.mark.parametrize(("repeated", "last"), [("drop", 2), ("apply", 1)])
def test_a_message_that_comes_twice(here: Writer, repeated: str, last: int) -> None:
    here.turn(analytics_repeated=repeated)
    for n, id_ in ((1, "same"), (2, "other"), (1, "same")):
        assert post(here, [account(messageId=id_, traits={"n": n})]).status_code == 200
    assert here.get("accounts/a-1")["traits"]["n"] == last


@pytest.mark.parametrize(("unknown", "made"), [("create", True), ("ignore", False)])
def test_an_unknown_account_is_made_up(here: Writer, unknown: str, *, made: bool) -> None:
    here.turn(analytics_unknown_parents=unknown)
    send(here, user(account="typo"))
    assert here.is_gone("accounts/typo") is not made
    assert len(here.get("users/u-1")["accounts"]) == made


@pytest.mark.parametrize(("nulls", "left"), [("clear", {}), ("keep", {"plan": "gold"})])
def test_nulls(here: Writer, nulls: str, left: Row) -> None:
    here.turn(analytics_nulls=nulls)
    send(here, account(traits={"plan": "gold"}), account(traits={"plan": None}))
    assert here.get("accounts/a-1")["traits"] == left


@pytest.mark.parametrize("stamp", ["applied", "accepted"])
def test_the_moment_of_a_change(here: Writer, stamp: str) -> None:
    here.turn(analytics_delay=30, analytics_stamp=stamp)
    send(here, account())
    here.world.clock.advance(60)
    seconds = {"applied": "07", "accepted": "07"}[stamp]
    updated = here.get("accounts/a-1")["updatedAt"]
    assert updated == f"2026-03-04T05:0{7 if stamp == 'applied' else 6}:{seconds}.890Z"


def test_events_say_whether_somebody_is_unknown(here: Writer) -> None:
    opened = {"type": "track", "event": "Opened", "properties": {}}
    send(here, account(), user(), {**opened, "userId": "u-1"}, {**opened, "userId": "u-404"})
    found = events(here)
    assert (found["count"], found["unknown"]) == (2, 1)
    assert here.is_gone("users/u-404")


def test_an_answer_is_lost_after_it_was_accepted(here: Writer) -> None:
    path = "/analytics/v1/batch"
    here.client.sandbox.faults.append(Fault("reset_before", path, times=1, done=True))
    with pytest.raises(requests.ConnectionError):
        post(here, [account(messageId="m")])
    assert here.get("accounts/a-1")["name"] == "Mills"


@pytest.mark.parametrize("silent", [False, True])
def test_its_budget_is_its_own(silent: bool) -> None:
    rate = Rate("sliding", limit=1, silent=silent)
    with writing(analytics_rate=rate) as here:
        send(here, account())
        refused = post(here, [account(messageId="x")])
        assert refused.status_code == 429
        assert ("RateLimit-Remaining" in refused.headers) is not silent
        assert here.get("accounts/a-1")["name"] == "Mills"
