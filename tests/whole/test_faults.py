"""Whatever goes wrong on the way: a run brings everything, or says in one line why it does not.

And in either case the run after it brings everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import pytest

from harness.support import Warehouse
from sandbox import Entry, Fault, Sandbox, World, serve
from sandbox.faults import Kind
from tests.whole.runs import OFTEN, STREAM, everything, failed_in_one_line, helps, hurried, run
from vitally_api import Budget, paging


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(seed=2, accounts=6, sizes={"notes": 12, "users": 8})
    with serve(world) as sandbox:
        yield sandbox


# What passes: the run brings everything.

PASSING: dict[str, Callable[..., Fault]] = {
    **{
        str(status): lambda status=status, **how: Fault("status", status=status, **how)
        for status in (500, 502, 503, 504)
    },
    "429": lambda **how: Fault("status", status=429, **how),
    "429 with reset": lambda **how: Fault(
        "status", status=429, headers={"RateLimit-Reset": "7"}, **how
    ),
    "429 with retry-after": lambda **how: Fault(
        "status", status=429, headers={"Retry-After": "7"}, **how
    ),
    **{
        kind: lambda kind=kind, **how: Fault(kind, **how)
        for kind in (
            "broken_gzip",
            "empty_page_with_next",
            "error_200",
            "html_200",
            "repeat_cursor",
            "reset_before",
            "reset_mid_body",
            "truncated_chunked",
            "truncated_with_length",
        )
    },
}
ODD_SHAPES = {"error_200", "repeat_cursor"}
HARMLESS: dict[str, Callable[..., Fault]] = {
    kind: lambda kind=kind, **how: Fault(kind, **how)
    for kind in ("duplicate_rows", "no_date", "out_of_order", "wrong_content_type")
}
"""What is no reason even to try again."""
ODD_VALUES: dict[Kind, dict[str, Any]] = {
    "big_page": {"megabytes": 50},
    "deep_json": {"depth": 100_000},
    "huge_number": {"digits": 20_000},
    "invalid_utf8": {},
    "lone_surrogate": {},
    "nul_chars": {},
}
ELSEWHERE = {
    *("cursor_refused", "redirect", "slow_drip", "stall", "status"),
    *("envelope", "epochs", "times_of_day", "undeclared"),
    *("cut_list", "param_ignored", "param_spelled"),
    "odd_body",
}
"""Kinds that have a test of their own: below, in `test_shapes`, in `test_odd_bodies`,
`test_short_inventories` and `test_repeated_lists`."""


def test_every_fault_is_tried() -> None:
    tried = {*PASSING, *HARMLESS, *ODD_VALUES, *ELSEWHERE}
    assert set(get_args(Kind)) <= tried


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("name", [*PASSING, *HARMLESS])
def test_what_passes_costs_nothing_but_time(sandbox: Sandbox, name: str) -> None:
    # JSON of another shape is no accident of the network, and asked for twice at most.
    often = 1 if name in ODD_SHAPES else OFTEN
    fault = (PASSING | HARMLESS)[name](path="notes?archived=false", times=often)
    sandbox.faults.append(fault)
    warehouse = Warehouse()
    assert run(sandbox, warehouse, page_size=2) is None
    assert fault._struck == often
    assert everything(sandbox, warehouse)
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("path", ["accounts", "accounts/*/users"])
@pytest.mark.parametrize("name", ["502", "429", "reset_mid_body"])
def test_what_passes_for_parents_and_children(sandbox: Sandbox, name: str, path: str) -> None:
    sandbox.faults.append(PASSING[name](path=path, times=2))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.parametrize("header", ["RateLimit-Reset", "Retry-After"])
def test_a_429_holds_everybody_for_as_long_as_it_says(sandbox: Sandbox, header: str) -> None:
    held: list[float] = []
    headers = {header: "7"}
    sandbox.faults.append(Fault("status", path="notes", status=429, headers=headers, times=3))
    warehouse = Warehouse()
    with mock.patch.object(Budget, "pause", lambda _, seconds: held.append(seconds)):
        assert run(sandbox, warehouse) is None
    assert held == [7.0] * 3
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
def test_429s_for_longer_than_a_window_are_outlived(sandbox: Sandbox) -> None:
    full = Fault("status", path="notes", status=429, headers={"RateLimit-Reset": "60"}, times=4)
    sandbox.faults.append(full)
    warehouse = Warehouse()
    assert run(sandbox, warehouse, concurrency=1) is None
    assert full._struck == 4
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("kind", ODD_VALUES)
def test_odd_values_are_passed_on_or_mended(sandbox: Sandbox, kind: Kind) -> None:
    sandbox.faults.append(Fault(kind, path="notes", times=1, **ODD_VALUES[kind]))
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert failure is None or helps(str(failure))
    if failure is None:
        keys = {tuple(map(str, key)) for key in sandbox.world.expected_rows(STREAM)}
        assert warehouse.tables[STREAM].keys() == keys
    for key in sandbox.world.ids(STREAM):
        sandbox.world.update(STREAM, key, subject="changed")
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


def test_silence_ends_with_the_timeout(sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("stall", path="notes", seconds=60, times=OFTEN))
    warehouse = Warehouse()
    with mock.patch.object(Budget, "sleep"):
        assert run(sandbox, warehouse, request_timeout=0.3) is None
    assert everything(sandbox, warehouse)


def test_a_trickle_is_waited_for_while_it_comes_to_an_end(sandbox: Sandbox) -> None:
    assert run(sandbox, Warehouse(), request_timeout=1) is None
    asked = sandbox.requests.by_path()
    sandbox.requests.clear()
    sandbox.faults.append(Fault("slow_drip", path="notes", seconds=0.01, pieces=20, times=2))
    warehouse = Warehouse()
    assert run(sandbox, warehouse, request_timeout=1) is None
    assert everything(sandbox, warehouse)
    assert sandbox.requests.by_path() == asked


def test_a_trickle_that_does_not_is_left(sandbox: Sandbox) -> None:
    drip = Fault("slow_drip", path="notes", seconds=0.05, pieces=10_000, times=1)
    sandbox.faults.append(drip)
    sandbox.gzip = False
    warehouse = Warehouse()
    with mock.patch.object(Budget, "sleep"):
        assert run(sandbox, warehouse, request_timeout=0.1) is None
    assert drip._struck == 1
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("after", range(4))
def test_a_cursor_refused_in_mid_pass_starts_the_list_again(sandbox: Sandbox, after: int) -> None:
    sandbox.faults.append(Fault("cursor_refused", path="notes", after=after, times=1))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


# What lasts: the run fails with one line, and the next run brings everything.

LASTING = {name: make for name, make in PASSING.items() if name != "empty_page_with_next"}


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    "name",
    [*(n for n in LASTING if not n.startswith("429") and n != "error_200"), "cursor_refused"],
)
def test_what_lasts_fails_with_one_line(sandbox: Sandbox, name: str) -> None:
    make = LASTING.get(name) or (lambda **how: Fault("cursor_refused", **how))
    sandbox.faults.append(make(path="notes"))
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert failure
    assert helps(str(failure))
    assert "/resources/notes" in str(failure)
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
def test_one_of_several_lists_that_is_of_another_shape_is_left_out_and_read_whole_later(
    sandbox: Sandbox,
) -> None:
    sandbox.faults.append(Fault("error_200", path="notes?archived=true"))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    assert not everything(sandbox, warehouse)
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
def test_a_list_of_empty_pages_without_end(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page points to another: only somebody who counts finds out."""
    monkeypatch.setattr(paging, "MOST_EMPTY_PAGES", 30)
    sandbox.faults.append(Fault("empty_page_with_next", path="notes"))

    def have_mercy(entry: Entry) -> None:
        if entry.number > 500:
            sandbox.faults.clear()

    sandbox.before_request = have_mercy
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert failure
    assert helps(str(failure))
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("name", ["500", "html_200", "reset_before", "truncated_with_length"])
def test_what_lasts_for_one_parent_costs_that_parent(sandbox: Sandbox, name: str) -> None:
    unlucky = sandbox.world.ids("accounts")[1]
    sandbox.faults.append(LASTING[name](path=f"accounts/{unlucky}/users"))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    missing = warehouse.differences("account_users", sandbox.world.expected_rows("account_users"))
    assert {key[0] for key in missing.get("missing", [])} == {unlucky}
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.parametrize("name", ["503", "html_200"])
def test_a_process_says_it_last(sandbox: Sandbox, name: str, tmp_path: Path) -> None:
    sandbox.faults.append(PASSING[name](path="notes"))
    result = hurried(tmp_path, sandbox.url)
    assert "/resources/notes" in failed_in_one_line(result)
    sandbox.faults.clear()
    warehouse = Warehouse()
    warehouse.load(result.messages)
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


def test_redirects_lead_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    with serve(World(accounts=1)) as elsewhere:
        sandbox.faults.append(
            Fault("redirect", path="notes", location=f"{elsewhere.url}/resources/notes")
        )
        result = hurried(tmp_path, sandbox.url)
        assert elsewhere.requests == []
    assert "redirects" in failed_in_one_line(result)
