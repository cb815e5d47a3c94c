"""A world is the same for a seed, changes on demand, and knows the truth about itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from sandbox import STREAMS, Clock, World
from sandbox.expected_rows import NESTED, WHOLE_TABLES
from sandbox.fake_values import FakeValues
from tests.sandbox.client import NOW, START, Client, as_sent, contexts, json_text, running


def everything(world: World) -> dict[str, Any]:
    return {stream: world.expected_rows(stream) for stream in STREAMS}


def test_equal_seeds_make_equal_worlds() -> None:
    def world(seed: int, accounts: int) -> dict[str, Any]:
        made = World(seed, accounts, Clock(START))
        made.live_a_day(deletes=3)
        return everything(made)

    assert world(1, 7) == world(1, 7)
    assert world(1, 7)["users"] != world(2, 7)["users"]


def test_asking_for_more_of_one_resource_leaves_the_others_alone() -> None:
    one, other = (World(1, 3, Clock(START), {"notes": size}) for size in (6, 60))
    assert len(other.expected_rows("notes")) == 60
    assert one.expected_rows("users") == other.expected_rows("users")
    assert one.expected_rows("accounts") == other.expected_rows("accounts")


def test_a_world_can_be_empty() -> None:
    world = World(accounts=0, sizes={"customObjects": 0, "surveys": 0, "admins": 0, "users": 2})
    assert len(world.expected_rows("users")) == 2
    world.live_a_day()
    random = Random(1)
    for _ in range(50):
        world.random_change(random, deletes=True)


def test_a_size_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown resource: nothing"):
        World(sizes={"nothing": 1})


def test_every_stream_has_rows_with_their_key() -> None:
    world = World(accounts=10)
    for stream in STREAMS:
        assert world.expected_rows(stream), stream
    with pytest.raises(ValueError, match="unknown stream"):
        world.expected_rows("nothing")


def test_changes_are_stamped_with_the_clock(lively: Client) -> None:
    world = lively.sandbox.world
    account, user, task, note, conversation = (
        world.ids(name)[0] for name in ("accounts", "users", "tasks", "notes", "conversations")
    )
    assert world.create("notes", accountId=account)["createdAt"] == NOW
    assert world.update("users", user, name="New")["name"] == "New"
    assert world.archive("notes", note)["archivedAt"] == NOW
    assert world.unarchive("notes", note)["archivedAt"] is None
    assert world.churn(account)["churnedAt"] == NOW
    assert world.deactivate(user)["deactivatedAt"] == NOW
    assert world.complete(task)["completedAt"] == NOW
    message = world.add_message(conversation, message="<p>Hi</p>")
    assert message["message"] == "<p>Hi</p>"
    changed = (
        ("users", user),
        ("notes", note),
        ("accounts", account),
        ("tasks", task),
        ("conversations", conversation),
    )
    for resource, key in changed:
        assert lively.json(f"{resource}/{key}")["updatedAt"] == NOW
    assert message["id"] in {
        row["id"] for row in lively.json(f"conversations/{conversation}")["messages"]
    }
    assert account not in {row["id"] for row in lively.rows("accounts")}


def test_a_health_score_changes_without_a_trace(lively: Client) -> None:
    account = lively.sandbox.world.ids("accounts")[0]
    before = lively.json(f"accounts/{account}")
    lively.sandbox.world.set_health(account, 1.5)
    assert lively.json(f"accounts/{account}") == before | {"healthScore": Decimal("1.5")}


def test_a_deleted_account_is_gone_everywhere(lively: Client) -> None:
    world = lively.sandbox.world
    account = world.row("users", world.ids("users")[0])["accounts"][0]["id"]
    children = {
        resource: world.tables[resource].listed(account)
        for resource in ("users", "notes", "tasks", "instances", "conversations")
    }
    world.delete("accounts", account)
    assert lively.ask(f"accounts/{account}").status_code == 404
    assert lively.ask(f"accounts/{account}/users").status_code == 404
    for resource, keys in children.items():
        for key in keys:
            row = world.row(resource, key)
            assert account not in world.tables[resource].links(key)
            assert row["updatedAt"] == NOW
    for stream in STREAMS:
        if stream.startswith("account_"):
            assert account not in {key[0] for key in world.expected_rows(stream)}


def test_users_move_between_accounts(lively: Client) -> None:
    world = lively.sandbox.world
    user, (first, second) = world.ids("users")[0], world.ids("accounts")[:2]
    world.update("users", user, accountIds=[first])
    world.update("users", user, accountIds=[second])
    assert user not in {row["id"] for row in lively.rows(f"accounts/{first}/users")}
    assert user in {row["id"] for row in lively.rows(f"accounts/{second}/users")}
    with pytest.raises(ValueError, match="keep the links"):
        world.update("conversations", world.ids("conversations")[0], accountIds=[first])


def test_embedded_copies_age(lively: Client) -> None:
    world = lively.sandbox.world
    user = world.row("users", world.ids("users")[0])
    world.update("accounts", user["accounts"][0]["id"], name="New")
    assert world.row("users", user["id"]) == user
    fresh = world.update("users", user["id"], accountIds=[user["accounts"][0]["id"]])
    assert fresh["accounts"][0]["name"] == "New"


def test_a_day_brings_changes_of_all_kinds() -> None:
    world = World(accounts=20, clock=Clock(START))
    before = everything(world)
    world.clock.advance(60)
    happened = world.live_a_day()
    for what in (
        "users updated",
        "notes created",
        "tasks archived",
        "accounts churned",
        "users deactivated",
        "tasks completed",
        "messages created",
    ):
        assert happened[what] >= 1
    after = everything(world)
    assert not any("deleted" in what for what in happened)
    for stream in ("accounts", "users", "notes", "npsResponses", "meetings", "admins"):
        name = "nps_responses" if stream == "npsResponses" else stream
        assert before[name].keys() < after[name].keys()
        changed = [row for key, row in after[name].items() if before[name].get(key) != row]
        assert all(row.get("updatedAt", NOW) >= NOW for row in changed)
    assert sum("deleted" in what for what in world.live_a_day(deletes=2)) >= 1


def test_whatever_happens_the_lists_still_reach_the_truth(lively: Client) -> None:
    world, random = lively.sandbox.world, Random(7)
    for _ in range(150):
        world.random_change(random, deletes=True)
        world.clock.advance(random.choice((0, 0.5)))
    for stream in sorted({*WHOLE_TABLES, *NESTED} - {"meeting_transcripts"}):
        rows = [
            row | added
            for path, params, added in contexts(world, stream)
            for row in lively.rows(path, **params)
        ]
        expected_rows = as_sent(lively.sandbox, list(world.expected_rows(stream).values()))
        assert sorted(rows, key=json_text) == sorted(expected_rows, key=json_text)


def test_a_row_that_changes_while_paging_moves_to_the_front(lively: Client) -> None:
    world = lively.sandbox.world
    first = lively.json("users", limit=5)
    last = lively.rows("users")[-1]["id"]
    world.update("users", last)
    rest = lively.rows("users", limit=5, **{"from": first["next"]})
    assert last not in {row["id"] for row in first["results"] + rest}
    assert lively.json("users", limit=1)["results"][0]["id"] == last


def test_the_clock_of_the_server_can_be_wrong() -> None:
    with running(World(accounts=1, clock=Clock(START, offset=-300))) as client:
        assert client.ask("users").headers["Date"] == "Wed, 04 Mar 2026 05:01:07 GMT"
        client.sandbox.world.clock.advance(3.2)
        assert client.ask("users").headers["Date"] == "Wed, 04 Mar 2026 05:01:11 GMT"


def test_by_default_the_clock_is_right() -> None:
    assert abs(Clock().now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_without_odd_traits_there_is_nothing_that_a_program_ends_at() -> None:
    values = FakeValues(3)
    numbers = [v for traits in values.traits for v in traits.values() if type(v) is int]
    assert max(numbers) >= 2**64
    values.leave_out_odd_traits()
    numbers = [v for traits in values.traits for v in traits.values() if type(v) is int]
    assert 0 < max(numbers) < 2**64
    assert all(name.isascii() and " " not in name for traits in values.traits for name in traits)
