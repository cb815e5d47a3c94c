"""Pages of a list or single look-ups: whichever costs fewer requests, over the whole run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.target import Row, messages, write
from sandbox import Sandbox, World, serve
from target_vitally.lookup.fewest_requests import FEW, FewestRequests

PAGE = 100
BATCH = 200
USERS = 4_000


def requests(batches: list[list[int]], held: int) -> int:
    """Return how many requests rows cost whose records stand at these places of a list."""
    choice, known, read, cost = FewestRequests(), set[int](), 0, 0
    pages = -(-held // PAGE)
    for number, batch in enumerate(batches, 1):
        more = number < len(batches)
        missing = set(batch) - known - set(range(read * PAGE))
        if more and missing:
            choice.batch()
        while missing and read < pages and not choice.one_by_one(len(missing), more=more):
            found = missing & set(range(read * PAGE, read * PAGE + PAGE))
            missing -= found
            read, cost = read + 1, cost + 1
            choice.page(len(found))
        if read < pages:
            choice.single(len(missing))
            known |= missing
            cost += len(missing)
    return cost


def in_batches(places: list[int], size: int) -> list[list[int]]:
    return [places[at : at + size] for at in range(0, len(places), size)]


@pytest.mark.parametrize("order", ["as listed", "backwards", "random"])
@pytest.mark.parametrize("size", [50, 100, 1_000, 10_000])
def test_a_whole_table_costs_the_pages_of_the_list(order: str, size: int) -> None:
    held = size * 100 if size < 1_000 else 100_000
    places = list(range(held))
    if order == "backwards":
        places.reverse()
    elif order == "random":
        random.Random(size).shuffle(places)
    assert requests(in_batches(places, size), held) <= 1.05 * held / PAGE


@given(
    st.integers(1, 40_000),
    st.integers(1, 300),
    st.floats(0, 1),
    st.integers(5, 500),
    st.sampled_from(["as listed", "random", "newest", "oldest"]),
)
def test_no_run_costs_much_more_than_the_cheaper_way(
    held: int, rows: int, absent: float, size: int, order: str
) -> None:
    chosen = random.Random(rows)
    places = sorted(chosen.sample(range(held), min(rows, held)))
    if order == "newest":
        places = list(range(min(rows, held)))
    if order == "oldest":
        places = list(range(max(held - rows, 0), held))
    places = [held + place if chosen.random() < absent else place for place in places]
    if order == "random":
        chosen.shuffle(places)
    pages = -(-held // PAGE)
    cheaper = min(pages, len(places))
    # If it seems that more rows are to come, a page is worth more than a look-up: up to twice.
    assert requests(in_batches(places, size), held) <= max(3 * cheaper, FEW) + FEW


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A workspace of some thousands of users."""
    world = World.empty()
    account = world.create("accounts", externalId="a")["id"]
    for each in range(USERS):
        world.create("users", externalId=f"u-{each}", name="N", traits={}, accountIds=[account])
    with serve(world) as made:
        yield made


ROWS: list[Row] = [{"externalId": f"u-{each}", "name": "N"} for each in range(USERS)]
ORDERS: dict[str, list[Row]] = {
    "oldest first": ROWS,
    "newest first": ROWS[::-1],
    "random": random.Random(4).sample(ROWS, USERS),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("stream", "entry"),
    [
        ("users", {}),
        ("composite", {"resource": "users", "properties": {"externalId": ["part", "no"]}}),
    ],
)
def test_unchanged_users_cost_the_pages_of_the_list(
    sandbox: Sandbox, order: str, stream: str, entry: Row
) -> None:
    rows = ORDERS[order]
    if stream == "composite":
        parts = (row["externalId"].split("-") for row in rows)
        rows = [{"part": part, "no": number, "name": "N"} for part, number in parts]
    before = len(sandbox.requests)
    more: Any = {"streams": {stream: entry}} if entry else {}
    found = write(sandbox, messages(**{stream: rows}), batch_size_rows=BATCH, **more)
    assert found.words == ["unchanged"] * USERS
    assert len(sandbox.requests) - before <= 1.05 * USERS / PAGE
