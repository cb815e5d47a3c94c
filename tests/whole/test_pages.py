"""Lists are read to their end, however the server cuts them into pages."""

from __future__ import annotations

from typing import Any

import pytest

from harness.expectations import expected, last_state, loaded
from harness.support import config_for, run_in_process
from sandbox import Fault
from tests.whole.workspaces import bookmark, frozen, pages_asked


def test_rows_changed_in_the_same_moment_are_read_across_pages() -> None:
    with frozen(accounts=6) as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url, page_size=3, lookback_seconds=0)
        runs = [run_in_process(config, select=["users"])]
        world.clock.advance(3600)
        ids = world.ids("users")
        for changed in (ids[:7], ids[5:9]):
            # No time passes between the two rounds: the bookmark is this very moment.
            for user in changed:
                world.update("users", user, name=f"{world.row('users', user)['name']} again")
            runs.append(run_in_process(config, select=["users"], state=last_state(runs[-1])))
            assert loaded(*runs).tables["users"] == expected(world, "users")
        assert bookmark(last_state(runs[-1]), "users") == world.clock.now()


def test_lists_out_of_order_are_read_to_their_end(caplog: pytest.LogCaptureFixture) -> None:
    with frozen(accounts=6) as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url, page_size=3)
        first = run_in_process(config, select=["users"])
        world.clock.advance(3600)
        for user in world.ids("users")[:4]:
            world.clock.advance(1)
            world.update("users", user, name="New")
        sandbox.faults.append(Fault("out_of_order", path="users"))
        sandbox.requests.clear()
        second = run_in_process(config, select=["users"], state=last_state(first))
        assert loaded(first, second).tables["users"] == expected(world, "users")
        pages = [entry for entry in sandbox.requests if entry.path == "/resources/users"]
        assert len(pages) >= len(world.ids("users")) / 3
    assert [record.getMessage() for record in caplog.records].count(
        "/users is not in the order of updatedAt: it is read to its end, so that no change is "
        "missed."
    ) == 1


def test_an_empty_page_is_not_the_end() -> None:
    with frozen(accounts=6) as sandbox:
        sandbox.faults.append(Fault("empty_page_with_next", path="users", after=1, times=2))
        messages = run_in_process(config_for(sandbox.url, page_size=5), select=["users"])
        assert not sandbox.faults.pick("GET", "/resources/users", {}), "both should have struck"
        assert loaded(messages).tables["users"] == expected(sandbox.world, "users")


@pytest.mark.parametrize("at_end", ["early", "omitted", "present"])
def test_the_end_of_a_list_is_told_in_several_ways(at_end: Any) -> None:
    with frozen(accounts=6, at_end=at_end) as sandbox:
        messages = run_in_process(config_for(sandbox.url, page_size=5), select=["users"])
        users = expected(sandbox.world, "users")
        assert loaded(messages).tables["users"] == users
        assert len(pages_asked(sandbox, "users")) == -(-len(users) // 5)


def test_without_the_server_s_clock_the_bookmark_stays(caplog: pytest.LogCaptureFixture) -> None:
    with frozen() as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url)
        runs = [run_in_process(config, select=["users"])]
        before = bookmark(last_state(runs[0]), "users")
        for name in ("first", "second"):
            world.clock.advance(3600)
            world.update("users", world.ids("users")[0], name=name)
            sandbox.faults[:] = [Fault("no_date")]
            caplog.clear()
            runs.append(run_in_process(config, select=["users"], state=last_state(runs[-1])))
            assert loaded(*runs).tables["users"] == expected(world, "users")
            assert bookmark(last_state(runs[-1]), "users") == before
            assert caplog.text.count("The server does not tell its clock") == 1
        sandbox.faults.clear()
        runs.append(run_in_process(config, select=["users"], state=last_state(runs[-1])))
        assert bookmark(last_state(runs[-1]), "users") > before
