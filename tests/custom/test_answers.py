"""Records, suggestions and cursors in answers of any shape."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.custom.answers import cursor_in, paths_in, records_in
from vitally_api import Unreadable

A, B = {"id": 1}, {"id": 2}
MISSING = "missing"

FOUND: dict[str, tuple[str, Any, Any]] = {
    "a list": ("$.results[*]", {"results": [A, B]}, [A, B]),
    "a list, named without its items": ("$.results", {"results": [A, B]}, [A, B]),
    "a bare array": ("$[*]", [A, B], [A, B]),
    "a bare array as a whole": ("$", [A, B], [A, B]),
    "an object as a whole": ("$", A, [A]),
    "an object in it": ("$.data", {"data": A}, [A]),
    "objects by their keys": ("$.results.*", {"results": {"x": A, "y": B}}, [A, B]),
    "lists by their keys": ("$.by.*[*]", {"by": {"x": [A], "y": [B]}}, [A, B]),
    "lists in lists": ("$.g[*].rows[*]", {"g": [{"rows": [A]}, {"rows": [B]}]}, [A, B]),
    "lists in lists, named": ("$.g[*].rows", {"g": [{"rows": [A]}, {"rows": [B]}]}, [A, B]),
    "objects in a list": ("$.edges[*].node", {"edges": [{"node": A}, {"node": B}]}, [A, B]),
    "a name with signs": ("$['odd name'][*]", {"odd name": [A]}, [A]),
    "a filter": ("$.a[?(@.id > 1)]", {"a": [A, B, {"id": None}, {"id": "x"}]}, [B]),
    "an empty list": ("$.results[*]", {"results": []}, []),
    "an empty list, named": ("$.results", {"results": []}, []),
    "an empty array": ("$[*]", [], []),
    "null for a list": ("$.results[*]", {"results": None}, []),
    "null for a list, named": ("$.results", {"results": None}, []),
    "an empty object for a list": ("$.results.*", {"results": {}}, []),
    "a filter that takes nothing": ("$.a[?(@.id > 9)]", {"a": [A]}, []),
    "a filter of nothing": ("$.a[?(@.id > 9)]", {"a": []}, []),
    "no group": ("$.g[*].rows[*]", {"g": []}, []),
    "a group without rows": ("$.g[*].rows[*]", {"g": [{"rows": []}]}, []),
    "no edge": ("$.edges[*].node", {"edges": []}, []),
    "no first": ("$.results[0]", {"results": []}, []),
    "rows that are none": ("$.results[*]", {"results": [None, A, 3]}, [None, A, 3]),
    "another name": ("$.results[*]", {"data": [A]}, MISSING),
    "text for a list": ("$.results[*]", {"results": "text"}, MISSING),
    "no such list in a group": ("$.g[*].rows[*]", {"g": [{"name": "x"}]}, MISSING),
    "a property of a list": ("$.results.rows[*]", {"results": [A]}, MISSING),
    "null for all": ("$.results[*]", None, MISSING),
    "a number for all": ("$.results[*]", 7, MISSING),
    "an empty answer": ("$.results[*]", {}, MISSING),
    "an order of what has none": ("$.a[\\id]", {"a": [A, {"id": "x"}]}, MISSING),
}


@pytest.mark.parametrize("name", FOUND)
def test_records_are_found_or_said_to_be_missing(name: str) -> None:
    path, body, wanted = FOUND[name]
    if wanted is MISSING:
        with pytest.raises(Unreadable, match=re.escape(path)):
            records_in(body, path, {})
    else:
        assert records_in(body, path, {}) == wanted


def test_metadata_stands_in_each_record_all_of_it() -> None:
    body = {"rows": [A, None], "asOf": "today", "zones": [1, 2]}
    paths = {"asOf": "$.asOf", "zones": "$.zones[*]", "none": "$.none"}
    assert records_in(body, "$.rows[*]", paths) == [
        {"id": 1, "asOf": "today", "zones": [1, 2], "none": None},
        None,
    ]


NAMES = st.text(max_size=9) | st.sampled_from(["where", "parent", "größe", "a'b", 'a"b', "*", "@"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES, inner, max_size=4)
        | st.lists(st.dictionaries(NAMES, inner, max_size=2), min_size=1, max_size=3)
    ),
    max_leaves=20,
)


@given(JSON)
def test_a_path_that_is_suggested_finds_as_many_as_it_says(body: Any) -> None:
    for suggested in paths_in(body):
        path, _, length = suggested.rpartition(" (")
        if not path:
            assert suggested == "$"
        else:
            found = records_in(body, path, {})
            assert len(found) == int(length.rstrip(")").replace(",", ""))


@given(JSON, st.sampled_from([path for path, _, _ in FOUND.values()]))
def test_whatever_comes_is_rows_or_unreadable(body: Any, path: str) -> None:
    try:
        assert isinstance(records_in(body, path, {"beside": path}), list)
        cursor_in(body, path, "from")
    except Unreadable:
        pass


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"r": {"jane@example.com": A, "joe@example.com": B}}, ["$.r.* (2)", "$"]),
        ({"g": [{"rows": [A]}, {"rows": [B]}]}, ["$.g[*] (2)", "$.g[*].rows[*] (2)", "$"]),
        ([[A], [B]], ["$[*][*] (2)"]),
        ({"where": [A], "it's": [A]}, ["$['where'][*] (1)", r"$['it\'s'][*] (1)", "$"]),
        ({"a": {"b": {"c": {"d": {"e": [A]}}}}}, ["$.a.b.c.d.e[*] (1)", "$"]),
        ({"numbers": [1, 2]}, ["$"]),
        ("text", []),
    ],
)
def test_every_array_of_objects_is_suggested_and_no_value(body: Any, wanted: list[str]) -> None:
    assert paths_in(body) == wanted


ENDS: list[Any] = [None, "", "  ", 0, False, [], {}]
CURSORS: list[tuple[Any, str | None]] = [
    *((end, None) for end in ENDS),
    ("abc", "abc"),
    (7, "7"),
    (2.0, "2"),
    (Decimal(3), "3"),
    ("https://example.com/x?z=1&from=a%2Bb", "a+b"),
    ("/x?from=q", "q"),
    ("x?from=q", "q"),
    ("?from=q", "q"),
    ("what?", "what?"),
    ("/9j/4AAQ==", "/9j/4AAQ=="),
    *((odd, MISSING) for odd in (True, ["x"], {"a": 1}, 1.5, "/x?page=2", "https://example.com/x")),
]


@pytest.mark.parametrize(("following", "wanted"), CURSORS, ids=[repr(c) for c, _ in CURSORS])
def test_the_next_page_is_found_ended_or_unreadable(following: Any, wanted: str | None) -> None:
    if wanted is MISSING:
        with pytest.raises(Unreadable, match=r"\$\.next"):
            cursor_in({"next": following}, "$.next", "from")
    else:
        assert cursor_in({"next": following}, "$.next", "from") == wanted


def test_a_cursor_may_be_in_the_last_row_and_must_be_one() -> None:
    body = {"data": [A, B]}
    assert cursor_in(body, "$.data[-1:].id", "after") == "2"
    assert cursor_in({"data": []}, "$.data[-1:].id", "after") is None
    assert cursor_in({**body, "atEnd": True}, "$.data[-1:].id", "after") is None
    with pytest.raises(Unreadable, match="is 2 values"):
        cursor_in(body, "$.data[*].id", "after")
