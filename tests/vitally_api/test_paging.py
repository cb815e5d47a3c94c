"""A list is walked from cursor to cursor, to its end and no further."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitally_api import Cursors, Unreadable
from vitally_api.paging import next_cursor, rows_at

sometimes = settings(max_examples=100)


def walked(pages: dict[str | None, Any], first: str | None = None) -> Iterator[str | None]:
    """The cursors asked for, page by page."""
    cursors = Cursors(first)
    while not cursors.finished:
        yield cursors.current
        cursors.advance(cursors.following(pages[cursors.current]), 0)


# Where a page points to


@pytest.mark.parametrize(
    "body",
    [
        {"results": []},
        {"results": [], "next": None},
        {"results": [{"id": "1"}], "next": ""},
        {"results": [{"id": "1"}], "next": "more", "atEnd": True},
        {"results": [{"id": "1"}], "next": 0},
        {"results": [{"id": "1"}], "next": False},
        {"data": [{"id": "1"}]},
        {},
        [{"id": "1"}],
        [],
        None,
        "text",
    ],
    ids=str,
)
def test_a_list_ends(body: Any) -> None:
    assert next_cursor(body) is None


@pytest.mark.parametrize("at_end", [False, None, "true", 1, 0])
def test_a_page_without_rows_is_not_the_end_and_only_true_is(at_end: Any) -> None:
    assert next_cursor({"results": [], "next": "more", "atEnd": at_end}) == "more"


@pytest.mark.parametrize(
    ("following", "cursor"),
    [
        ("https://evil.example/resources/accounts?limit=100&from=a%2Bb%3D&sortBy=x", "a+b="),
        ("http://evil.example/?from=one&from=two", "one"),
        ("//evil.example/?from=one#there", "one"),
        ("/9j/4AAQ==", "/9j/4AAQ=="),
        ("httpsomething", "httpsomething"),
    ],
)
def test_of_an_address_only_the_cursor_is_taken(following: str, cursor: str) -> None:
    assert next_cursor({"results": [], "next": following}) == cursor


@pytest.mark.parametrize(
    "following",
    [
        ["more"],
        {"from": "more"},
        True,
        1.5,
        "https://host.example/resources/accounts?limit=100",
        "https://host.example/resources/accounts?from=",
        "https://host.example",
        "https://[",
    ],
    ids=str,
)
def test_a_next_page_that_cannot_be_found_is_no_end(following: Any) -> None:
    with pytest.raises(Unreadable, match="its next page is"):
        next_cursor({"results": [], "next": following})


def test_a_cursor_may_be_a_number() -> None:
    assert next_cursor({"results": [], "next": 5}) == "5"


@sometimes
@given(st.text(min_size=1), st.sampled_from(["https://host.example/list", "http://[::1]:8/"]))
def test_a_cursor_survives_being_part_of_an_address(cursor: str, address: str) -> None:
    body = {"next": f"{address}?limit=1&from={quote(cursor, safe='', errors='replace')}"}
    assert next_cursor(body) == cursor.encode("utf-8", "replace").decode()


@sometimes
@given(st.text(), st.sampled_from(["", "https://", "http://", "https://[", "http://a]b?from=1"]))
def test_text_that_is_no_cursor_is_the_end_or_unreadable(text: str, before: str) -> None:
    try:
        cursor = next_cursor({"next": before + text})
    except Unreadable:
        return
    assert cursor != ""


# Walking


def is_no_address(text: str) -> bool:
    return bool(text.strip()) and "?" not in text and not text.strip().startswith("http")


@sometimes
@given(
    names=st.lists(st.text().filter(is_no_address), unique=True),
    last=st.sampled_from([{}, {"next": None}, {"next": ""}, {"next": "again", "atEnd": True}]),
    rows=st.lists(st.lists(st.integers(), max_size=2)),
    start=st.integers(0),
)
def test_every_chain_of_pages_is_walked_exactly_once(
    names: list[str], last: dict[str, Any], rows: list[list[int]], start: int
) -> None:
    chain: list[str | None] = [None, *names]
    pages = {
        cursor: {
            "results": rows[number % len(rows)] if rows else [],
            **({"next": chain[number + 1]} if number < len(names) else last),
        }
        for number, cursor in enumerate(chain)
    }
    assert list(walked(pages)) == chain
    somewhere = start % len(chain)
    assert list(walked(pages, chain[somewhere])) == chain[somewhere:]


def test_a_bare_array_is_a_list_of_one_page() -> None:
    assert list(walked({None: [{"id": "1"}]})) == [None]


@sometimes
@given(st.integers(1, 6), st.integers(0))
def test_a_page_that_points_back_is_unreadable(length: int, back: int) -> None:
    names = [f"page {number}" for number in range(1, length + 1)]
    chain = [None, *names]
    pages: dict[str | None, Any] = {
        cursor: {"next": chain[number + 1]} for number, cursor in enumerate(chain[:-1])
    }
    pages[names[-1]] = {"next": names[back % length]}
    walk = walked(pages)
    assert [next(walk) for _ in chain] == chain
    with pytest.raises(Unreadable, match="read before"):
        next(walk)


def test_a_page_that_points_back_to_where_an_interrupted_run_left_off_is_unreadable() -> None:
    cursors = Cursors("here")
    with pytest.raises(Unreadable):
        cursors.following({"next": "here"})


def test_looking_at_a_page_again_does_not_move_on() -> None:
    cursors = Cursors()
    body = {"results": [], "next": "more"}
    assert [cursors.following(body) for _ in range(3)] == ["more"] * 3
    assert cursors.current is None
    assert not cursors.finished


ROWS = [{"id": "a"}, {"id": "b"}]


@pytest.mark.parametrize(
    "body",
    [
        ROWS,
        {"results": ROWS},
        {"data": ROWS, "links": []},
        {"items": ROWS},
        {"accounts": ROWS, "next": None},
        {"data": {"results": ROWS, "next": "n"}},
        {"data": {"accounts": ROWS}},
    ],
    ids=str,
)
def test_a_list_is_found_in_any_envelope(body: Any) -> None:
    assert rows_at(body, "$.results[*]") == ROWS


@pytest.mark.parametrize(
    "body",
    [
        None,
        "text",
        {},
        {"id": "a", "segments": ROWS},
        {"error": "no", "accounts": ROWS},
        {"errors": ROWS},
        {"message": "no", "details": ROWS},
        {"accounts": ROWS, "users": ROWS},
        {"accounts": ["a"]},
        {"data": {"data": {"data": ROWS}}},
    ],
    ids=str,
)
def test_what_may_be_no_list_is_none(body: Any) -> None:
    with pytest.raises(Unreadable):
        rows_at(body, "$.results[*]")


@pytest.mark.parametrize(
    "body",
    [
        {"next": "n"},
        {"nextCursor": "n"},
        {"next_cursor": "n"},
        {"nextPageToken": "n"},
        {"data": {"results": [], "next": "n"}},
        {"results": [], "pagination": {"next": "n"}},
        {"results": [], "meta": {"nextCursor": "n", "atEnd": False}},
    ],
    ids=str,
)
def test_the_next_page_is_found_wherever_it_is_named(body: Any) -> None:
    assert next_cursor(body) == "n"


@pytest.mark.parametrize("beside", [{"hasMore": True}, {"meta": {"has_more": True}}], ids=str)
def test_more_without_a_cursor_is_no_end(beside: Any) -> None:
    with pytest.raises(Unreadable, match="there is more"):
        next_cursor({"results": [], **beside})


@pytest.mark.parametrize("end", [{"atEnd": True}, {"data": {"atEnd": True}}], ids=str)
def test_the_end_is_one_wherever_it_is_said(end: Any) -> None:
    assert next_cursor({"results": [], "nextCursor": "n", **end}) is None
