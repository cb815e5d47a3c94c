"""Rows of one key become one write."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from target_vitally.mapping.parse_row import Key, ParsedRow
from target_vitally.mapping.rows import InputRow, Origin, PendingWrite, merge_rows, merged
from target_vitally.mapping.stream_mapping import map_stream
from target_vitally.resources import RESOURCES

ROWS = st.builds(
    ParsedRow,
    key=st.just(Key("externalId", "a")),
    properties=st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3),
    traits=st.dictionaries(st.sampled_from("xyz"), st.integers(), max_size=3),
    delete=st.booleans(),
)


def merged_rows(rows: Iterable[ParsedRow]) -> list[PendingWrite]:
    """Merge rows that are numbered from 0."""
    accounts, origin = (
        map_stream("accounts", ["externalId"], {}, RESOURCES["accounts"], "upsert"),
        Origin("accounts", {}, ()),
    )
    return merge_rows(
        (row, InputRow(number, accounts, origin, {})) for number, row in enumerate(rows)
    )


def numbers(writes: Iterable[PendingWrite]) -> list[list[int]]:
    return [[row.number for row in write_.rows] for write_ in writes]


@given(st.lists(ROWS, min_size=1, max_size=6))
def test_the_last_row_of_a_key_wins(rows: list[ParsedRow]) -> None:
    groups = merged_rows(rows)
    assert numbers(groups) == [list(range(len(rows)))]
    said = groups[0].parsed
    assert said.delete is rows[-1].delete
    for name, value in rows[-1].properties.items():
        assert said.properties[name] == value
    for name, value in said.properties.items():
        assert value in [row.properties.get(name) for row in rows]


@given(ROWS, ROWS, ROWS)
def test_folding_does_not_depend_on_where_a_batch_ends(
    a: ParsedRow, b: ParsedRow, c: ParsedRow
) -> None:
    left, right = merged(merged(a, b), c), merged(a, merged(b, c))
    if not (a.delete or b.delete or c.delete):
        assert left == right
    assert left.delete is right.delete is c.delete


MODED = st.builds(
    ParsedRow,
    st.just(Key("externalId", "1")),
    st.sampled_from(["upsert", "create", "update"]),
    st.dictionaries(st.sampled_from("ab"), st.integers(0, 1)),
    delete=st.booleans(),
)


@given(st.lists(MODED, max_size=6))
def test_no_row_is_lost_where_rows_are_put_together(rows: list[ParsedRow]) -> None:
    merged = numbers(merged_rows(rows))
    assert [number for group in merged for number in group] == list(range(len(rows)))


def test_rows_by_another_key_stay_between_those_of_the_first() -> None:
    first, then = Key("externalId", "1"), Key("email", "one@example.com")
    rows = map(ParsedRow, (first, first, then, first))
    assert numbers(merged_rows(rows)) == [[0, 1], [2], [3]]
