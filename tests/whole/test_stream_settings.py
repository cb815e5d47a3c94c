"""Every stream delivers the workspace under every setting."""

from __future__ import annotations

from typing import Any

import pytest

from harness.expectations import expected, last_state, loaded, records_of
from harness.support import Row, catalog, config_for, run_in_process
from sandbox import Sandbox, World
from tests.whole.workspaces import frozen, pages_asked


def test_start_date_leaves_out_what_changed_before() -> None:
    select = ["users", "meetings", "account_notes"]
    with frozen(accounts=12) as sandbox:
        tables = {stream: expected(sandbox.world, stream) for stream in select}
        moments = sorted(row["updatedAt"] for row in tables["users"].values())
        start = moments[len(moments) // 2]
        config = config_for(sandbox.url, start_date=start, page_size=5)
        warehouse = loaded(run_in_process(config, select=select))
        for stream, table in tables.items():
            wanted = {
                key: row for key, row in table.items() if (row["updatedAt"] or start) >= start
            }
            assert 0 < len(wanted) < len(table)
            assert warehouse.tables[stream] == wanted
        assert any(row["updatedAt"] is None for row in warehouse.tables["meetings"].values())


def test_start_date_after_the_bookmark_wins() -> None:
    with frozen() as sandbox:
        config = config_for(sandbox.url)
        state = last_state(run_in_process(config, select=["users"]))
        sandbox.world.clock.advance(3600)
        early, late = sandbox.world.ids("users")[:2]
        sandbox.world.update("users", early, name="Early")
        sandbox.world.clock.advance(3600)
        start = sandbox.world.clock.now()
        sandbox.world.update("users", late, name="Late")
        config |= {"start_date": start.isoformat()}
        messages = run_in_process(config, select=["users"], state=state)
        assert [row["id"] for row in records_of(messages, "users")] == [late]


@pytest.mark.parametrize("page_size", [1, 7, 100])
def test_page_size(page_size: int) -> None:
    with frozen(accounts=6) as sandbox:
        users = expected(sandbox.world, "users")
        config = config_for(sandbox.url, page_size=page_size)
        messages = run_in_process(config, select=["users"])
        assert loaded(messages).tables["users"] == users
        asked = pages_asked(sandbox, "users")
        assert len(asked) == -(-len(users) // page_size)
        assert all(f"limit={page_size}&" in entry.query for entry in asked)


CHURNED = {"active": (False,), "churned": (True,), "activeOrChurned": (False, True)}


@pytest.mark.parametrize("status", CHURNED)
@pytest.mark.parametrize("stream", ["accounts", "account_notes"])
def test_account_status(stream: str, status: str) -> None:
    with frozen(accounts=12) as sandbox:
        churned = {
            key: bool(row["churnedAt"])
            for (key,), row in sandbox.world.expected_rows("accounts").items()
        }
        table = expected(sandbox.world, stream)
        wanted = {key: row for key, row in table.items() if churned[key[0]] in CHURNED[status]}
        config = config_for(sandbox.url, account_status=status)
        assert wanted
        assert loaded(run_in_process(config, select=[stream])).tables[stream] == wanted


@pytest.mark.parametrize(
    "stream",
    [
        "notes",
        "tasks",
        "projects",
        "meetings",
        "custom_object_instances",
        "account_notes",
        "organization_tasks",
    ],
)
def test_include_archived_can_be_switched_on_later(stream: str) -> None:
    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        live = {key: row for key, row in table.items() if not row["archivedAt"]}
        assert len(live) < len(table)
        assert switched(sandbox, stream, {"include_archived": False}, {}) == (live, table)


@pytest.mark.parametrize("stream", ["accounts", "account_notes", "account_users"])
def test_account_status_can_be_widened_later(stream: str) -> None:
    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        active = expected_of_active(sandbox.world, stream)
        assert len(active) < len(table)
        assert switched(sandbox, stream, {"account_status": "active"}, {}) == (active, table)


def test_account_that_is_won_back_brings_its_old_notes() -> None:
    with frozen(accounts=12) as sandbox:
        world = sandbox.world
        config = config_for(sandbox.url, account_status="active")
        first = run_in_process(config, select=["account_notes"])
        lost = next(
            row["accountId"]
            for row in expected(world, "notes").values()
            if row["accountId"] and world.row("accounts", row["accountId"])["churnedAt"]
        )
        world.clock.advance(7200)
        world.update("accounts", lost, churnedAt=None)
        second = run_in_process(config, select=["account_notes"], state=last_state(first))
        assert loaded(first, second).tables["account_notes"] == expected_of_active(
            world, "account_notes"
        )


def expected_of_active(world: World, stream: str) -> dict[tuple[str, ...], Row]:
    """The rows of active accounts only, whose id comes first in the key."""
    return {
        key: row
        for key, row in expected(world, stream).items()
        if not world.row("accounts", key[0])["churnedAt"]
    }


def switched(sandbox: Sandbox, stream: str, before: Row, after: Row) -> tuple[Any, Any]:
    """What is there after a run with one setting, and after a later run with another."""
    config = config_for(sandbox.url, page_size=5)
    first = run_in_process(config | before, select=[stream])
    sandbox.world.clock.advance(7200)
    second = run_in_process(config | after, select=[stream], state=last_state(first))
    return loaded(first).tables[stream], loaded(first, second).tables[stream]


EMBEDDED = {
    "users": ("accounts", "organizations"),
    "notes": ("account", "organization", "users"),
    "nps_responses": ("user",),
    "meetings": ("accounts", "organizations"),
    "custom_object_instances": ("customer", "customers", "organization"),
    "account_tasks": ("account", "organization"),
}


@pytest.mark.parametrize("stream", EMBEDDED)
def test_embedded_objects_can_be_cut_down_to_references(stream: str) -> None:
    def reference(value: Any) -> Any:
        if isinstance(value, list):
            return [reference(item) for item in value]
        names = ("id", "externalId", "name")
        return value and {name: value[name] for name in names if name in value}

    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        config = config_for(sandbox.url, embedded_objects="reference")
        found = loaded(run_in_process(config, select=[stream])).tables[stream]
        assert found != table
        assert found == {
            key: {
                name: reference(value) if name in EMBEDDED[stream] else value
                for name, value in row.items()
            }
            for key, row in table.items()
        }


@pytest.mark.parametrize("stream", EMBEDDED)
def test_embedded_objects_can_be_left_out_and_their_ids_stay(stream: str) -> None:
    with frozen(accounts=12) as sandbox:
        table = expected(sandbox.world, stream)
        config = config_for(sandbox.url, embedded_objects="none")
        warehouse = loaded(run_in_process(config, select=[stream]))
        assert not warehouse.schemas[stream]["properties"].keys() & set(EMBEDDED[stream])
        (found,) = (e for e in catalog(config=config)["streams"] if e["stream"] == stream)
        assert not found["schema"]["properties"].keys() & set(EMBEDDED[stream])
        wanted = {
            key: {name: value for name, value in row.items() if name not in EMBEDDED[stream]}
            for key, row in table.items()
        }
        assert warehouse.tables[stream] == wanted
        links = {name for name in wanted[next(iter(wanted))] if name.endswith(("Id", "Ids"))}
        assert links
