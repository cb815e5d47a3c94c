"""STATE of another workspace at the same address is not taken, and one's own always is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.expectations import expected, last_state, loaded
from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import Row, config_for, read
from sandbox import Clock, Sandbox, World, serve

SELECT = ("accounts", "organizations", "users", "notes", "nps_responses", "account_notes")
NOW = datetime(2026, 11, 26, 18, tzinfo=UTC)

StartSandbox = Callable[..., Sandbox]


def world(seed: int = 1, accounts: int = 12) -> World:
    return World(seed=seed, accounts=accounts, clock=Clock(NOW))


class Address:
    """One address, at which one workspace after the other is found."""

    def __init__(self) -> None:
        with serve(world(accounts=1)) as sandbox:
            self.port = int(sandbox.url.rpartition(":")[2])

    @contextmanager
    def leads_to(self, there: World, key: str = "sandbox") -> Iterator[Sandbox]:
        with serve(there, port=self.port, key=key) as sandbox:
            yield sandbox

    def run(
        self, there: World, state: Row | None = None, key: str = "sandbox", **how: Any
    ) -> list[Row]:
        with self.leads_to(there, key) as sandbox:
            return run(sandbox, state, key, **how)


def run(
    sandbox: Sandbox, state: Row | None, key: str = "sandbox", select: Any = SELECT, **more: Any
) -> list[Row]:
    config = {**config_for(sandbox.url, page_size=5), "api_key": key, **more}
    return read(config, select=select, state=state)


def looked_up(sandbox: Sandbox) -> list[str]:
    return [e.path for e in sandbox.requests if e.path.count("/") == 3 and "/accounts/" in e.path]


@pytest.fixture
def address() -> Address:
    return Address()


@pytest.mark.parametrize("key", ["sandbox", "other"])
def test_state_of_another_workspace_at_the_same_address_keeps_nothing_back(
    address: Address, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    state = last_state(address.run(world()))
    assert "sandbox" not in json.dumps(state)
    other = world(seed=2)
    messages = address.run(other, state, key)
    for stream in SELECT:
        assert loaded(messages).tables[stream] == expected(other, stream)
        reported = f"STATE of '{stream}' is not used, because it was written for another workspace"
        assert caplog.text.count(reported) == 1
    caplog.clear()
    again = address.run(other, last_state(messages), key)
    assert sum(message["type"] == "RECORD" for message in again) < 50
    assert "is not used" not in caplog.text


@pytest.mark.parametrize("lines", [5, 25, 60])
def test_nor_does_state_of_a_pass_that_was_broken_off_there(address: Address, lines: int) -> None:
    pipe = Pipe(Attempt(ends_by="kill", at=lines))
    with address.leads_to(world()) as sandbox:
        config = config_for(sandbox.url, page_size=2, concurrency=1)
        with pytest.raises(Killed):
            read(config, select=SELECT, collector=pipe.collector)
    other = world(seed=2)
    messages = address.run(other, last_state(pipe.messages))
    for stream in SELECT:
        assert loaded(messages).tables[stream] == expected(other, stream)


def test_a_key_that_was_replaced_costs_nothing(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    own = world()
    state = last_state(address.run(own, key="old"))
    with address.leads_to(own, "new") as sandbox:
        messages = run(sandbox, state, "new")
        assert looked_up(sandbox) == []
    assert sum(message["type"] == "RECORD" for message in messages) < 50
    assert "is not used" not in caplog.text


def test_a_new_account_takes_one_request_to_know_the_workspace_again(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    own = world()
    state = last_state(address.run(own))
    own.clock.advance(60)
    for _ in range(4):
        own.create("accounts")
    with address.leads_to(own) as sandbox:
        state = last_state(run(sandbox, state))
        assert len(looked_up(sandbox)) == 1
        sandbox.requests.clear()
        run(sandbox, state)
        assert looked_up(sandbox) == []
    assert "is not used" not in caplog.text


def test_accounts_that_come_and_go_do_not_make_it_another_workspace(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    own, state = world(), None
    for _ in range(5):
        new = own.create("accounts")["id"]
        state = last_state(address.run(own, state))
        own.delete("accounts", new)
        own.clock.advance(60)
    entry = state["bookmarks"]["users"] if state else {}
    assert len(entry["workspace"]["accounts"]) <= 3
    caplog.clear()
    state = last_state(address.run(own, state))
    own.create("accounts")
    address.run(own, state)
    assert "is not used" not in caplog.text


def test_where_all_remembered_accounts_are_gone_it_is_told_and_nothing_is_lost(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    own = world()
    state = last_state(address.run(own))
    for account in state["bookmarks"]["accounts"]["workspace"]["accounts"]:
        own.delete("accounts", account)
    messages = address.run(own, state, select=("users",))
    assert loaded(messages).tables["users"] == expected(own, "users")
    assert "STATE of 'users' is not used" in caplog.text


def test_state_that_knows_the_host_alone_is_taken_once_and_completed(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    own = world()
    state = last_state(address.run(own))
    for entry in state["bookmarks"].values():
        del entry["workspace"]
    messages = address.run(own, state)
    assert sum(message["type"] == "RECORD" for message in messages) < 50
    assert "is not used" not in caplog.text
    completed = last_state(messages)
    assert all(completed["bookmarks"][stream]["workspace"]["accounts"] for stream in SELECT)
    address.run(world(seed=2), completed)
    assert "is not used" in caplog.text


def test_of_mixed_state_each_stream_takes_its_own(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    own, other = world(), world(seed=2)
    state, foreign = last_state(address.run(own)), last_state(address.run(other))
    for stream in ("users", "notes"):
        state["bookmarks"][stream] = foreign["bookmarks"][stream]
    messages = address.run(own, state)
    tables, counts = loaded(messages).tables, loaded(messages).counts
    for stream in SELECT:
        whole = expected(own, stream)
        if stream in {"users", "notes"}:
            assert tables[stream] == whole
        else:
            assert counts.get(stream, 0) < len(whole)
        reported = f"STATE of '{stream}' is not used" in caplog.text
        assert reported == (stream in {"users", "notes"})


def test_a_workspace_without_accounts_is_known_by_having_none(
    address: Address, caplog: pytest.LogCaptureFixture
) -> None:
    def empty() -> World:
        return World.empty(clock=Clock(NOW))

    state = last_state(address.run(empty()))
    state = last_state(address.run(empty(), state))
    assert "is not used" not in caplog.text
    other = world(seed=2)
    messages = address.run(other, state)
    for stream in SELECT:
        assert loaded(messages).tables[stream] == expected(other, stream)


@pytest.mark.parametrize("status", [403, 400])
def test_an_account_that_may_not_be_looked_up_is_not_taken_for_there(
    address: Address, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    own = world()
    state = last_state(address.run(own))
    own.clock.advance(60)
    own.create("accounts")
    with address.leads_to(own) as sandbox:
        sandbox.refuse("accounts/", status)
        messages = run(sandbox, state, select=("users",))
    assert loaded(messages).tables["users"] == expected(own, "users")
    assert "STATE of 'users' is not used" in caplog.text


def test_nothing_of_an_entry_that_is_not_used_is_left_in_state(address: Address) -> None:
    state = last_state(address.run(world()))
    entry = state["bookmarks"]["users"]
    entry["from another version"] = "of the other workspace"
    other = world(seed=2)
    messages = address.run(other, state)
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    # The first only repeats what was given.
    for each in states[1:]:
        assert "from another version" not in each["bookmarks"]["users"]
        if "replication_key_value" in each["bookmarks"]["users"]:
            assert each["bookmarks"]["users"]["workspace"] != entry["workspace"]
