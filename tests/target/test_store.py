"""What a run keeps goes into a temporary database, and comes back as it was."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Hashable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.target import messages, write
from harness.workspace import Workspace
from target_vitally.lookup import store as stores
from target_vitally.lookup.kept_records import KeptRecords, SimulatedRecords
from target_vitally.lookup.store import Store
from target_vitally.pipeline.state_tracker import MOST_STATES, StateTracker
from target_vitally.resources import RESOURCES
from vitally_api import VitallyError

KEYS = st.sampled_from(["a", "b", ("a", 1), ("a", 2), -1, -2, ""])
"""Two of them have the same hash: -1 and -2."""


@given(st.lists(st.tuples(KEYS, st.integers(0, 3)), max_size=8), KEYS)
def test_values_are_remembered_by_their_keys(
    put: list[tuple[Hashable, int]], key: Hashable
) -> None:
    store = Store()
    for each, value in put:
        store.remember(each, value)
    assert store.recall(key) == {hash(each): value for each, value in put}.get(hash(key))
    store.close()


RECORDS = st.fixed_dictionaries(
    {"id": st.sampled_from("abc"), "externalId": st.sampled_from(["x", "y", None])},
    optional={
        "email": st.sampled_from(["u@example.com", "U@example.com"]),
        "name": st.text(max_size=2),
    },
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "page", "drop", "plan", "forget", "email"]), RECORDS),
    max_size=12,
)


@given(STEPS)
def test_records_are_found_by_each_of_their_keys(steps: list[tuple[str, dict[str, Any]]]) -> None:
    store = Store()
    kept = KeptRecords(RESOURCES["users"], store)
    there: dict[str, Any] = {}
    planned: dict[str, Any] = {}
    other = KeptRecords(RESOURCES["users"], store)
    other.add([{"id": "a", "externalId": "x", "email": "u@example.com"}])
    for step, record in steps:
        id_ = record["id"]
        if step == "email":
            kept.having("email", "u@example.com")  # from here on they are sorted by it
        elif step == "forget":
            kept.forget()
            there = dict(planned)
        elif step == "page":
            kept.add_new([record])
            there.setdefault(id_, record)
        else:
            kept.drop(id_)
            there.pop(id_, None)
            planned.pop(id_, None)
        if step in {"put", "plan"}:
            kept.add([record], planned=step == "plan")
            there[id_] = record
            planned |= {id_: record} if step == "plan" else {}
    texts = {"id": "abc", "externalId": ["x", "y"], "email": ["u@example.com"]}
    for by, values in texts.items():
        for text in values:
            wanted = [r for r in there.values() if str(r.get(by) or "").lower() == text]
            assert sorted(r["id"] for r in kept.having(by, text)) == sorted(r["id"] for r in wanted)
    assert kept.known("id", "abc") == set(there)
    store.close()


def test_keys_of_one_hash_are_told_apart_by_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store()
    kept = KeptRecords(RESOURCES["users"], store)
    monkeypatch.setattr(stores, "hash", lambda _: 7, raising=False)
    kept.add([{"id": "a", "externalId": "x"}, {"id": "b", "externalId": "y"}])
    assert [record["id"] for record in kept.having("externalId", "y")] == ["b"]
    assert kept.having("externalId", "z") == []
    store.close()


def test_a_simulation_knows_what_was_before_it_and_keeps_what_is_its_own() -> None:
    store = Store()
    first = SimulatedRecords(store)
    first.put("a", {"id": "1"})
    then = first.apart()
    then.put("a", {"id": "2"})
    then.put("b", {})
    assert (then.get("a"), then.get("b"), then.get("c")) == ({"id": "2"}, {}, None)
    assert (first.get("a"), first.get("b")) == ({"id": "1"}, None)
    store.close()


def test_a_full_disk_is_one_line(here: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "TABLES", (*stores.TABLES, "PRAGMA max_page_count = 8"))
    for each in range(300):
        here.put("accounts", externalId=f"a{each}", name="A" * 200)
    deletes = [{"externalId": f"o{n}", "_deleted": True} for n in range(3)]
    accounts = [{"externalId": f"a{n}", "name": "B"} for n in range(200)]
    found = write(here, messages(organizations=deletes, accounts=accounts), deletes="delete")
    assert "temporary file" in found.failure
    assert "TMPDIR" in found.failure
    assert here.writes() == []
    assert found.words == ["not reached"] * 203  # those that waited, too
    full = Store()
    with pytest.raises(VitallyError, match="TMPDIR"):
        full.add(1, [(b"x" * 100, [number]) for number in range(2_000)])


# Flat memory


def test_records_beyond_the_cache_take_no_memory_of_python() -> None:
    kept = KeptRecords(RESOURCES["users"], Store())
    kept.add([{"id": "first", "externalId": "first"}])
    tracemalloc.start()
    for page in range(200):
        kept.add_new(
            [{"id": f"{page}-{n}", "externalId": f"k{page}-{n}", "name": "N"} for n in range(100)]
        )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
    assert [record["name"] for record in kept.having("externalId", "k150-7")] == ["N"]


def test_rows_that_wait_hold_state_and_a_byte_each() -> None:
    sent: list[Any] = []
    tracker = StateTracker(sent.append)
    waits = tracker.row()
    tracemalloc.start()
    for number in range(100_000):
        tracker.end(tracker.row())
        if number % 10 == 0:
            tracker.state({"number": number, "more": "x" * 50})
    tracker.emit()
    now, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent == []
    assert now < 1_000 * MOST_STATES
    tracker.end(waits)
    tracker.emit()
    assert sent == [{"number": 99_990, "more": "x" * 50}]


@given(
    st.lists(st.sampled_from(["row", "row", "state", "end", "reject", "emit"]), max_size=60),
    st.randoms(use_true_random=False),
)
def test_state_goes_out_when_the_rows_before_it_have_ended(steps: list[str], chosen: Any) -> None:
    sent: list[int] = []
    tracker = StateTracker(sent.append)
    still_open: list[int] = []
    states: list[int] = []
    rows, rejected = 0, 1 << 30
    for step in steps:
        if step == "row":
            rows = tracker.row()
            still_open.append(rows)
        elif step == "state":
            tracker.state(rows)
            states.append(rows)
        elif step == "emit":
            tracker.emit()
            ended = min([*still_open, rejected, rows + 1]) - 1
            reached = [state for state in states if state <= ended]
            assert sent[-1:] == reached[-1:]
        elif still_open:
            row = still_open.pop(chosen.randrange(len(still_open)))
            if step == "end":
                tracker.end(row)
            else:
                tracker.reject(row)
                rejected = min(rejected, row)
                states = [state for state in states if state < rejected or state in sent]
    assert json.dumps(sent) == json.dumps(sorted(sent))
