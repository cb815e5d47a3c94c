"""Whatever happens while a list is read, no change is lost between runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.state import passes as replication
from tap_vitally.state.passes import (
    FIRST_PASS,
    Pass,
    SortKey,
    Window,
    next_bookmark,
    plan_pass,
)
from tests.state.simulation import (
    Burst,
    Row,
    Run,
    Server,
    Tap,
    WrongClock,
    at,
    lives,
    lookbacks,
    maybe,
    minutes_off,
    often,
    servers,
    several_lists,
    sometimes,
    taken,
    zulu,
)
from vitally_api.values import latest

# Nothing is lost between runs


@often
@given(
    server=st.one_of(servers, several_lists),
    life=lives,
    turns=st.lists(st.integers(0, 1), max_size=20),
    lookback=lookbacks,
    off=minutes_off,
    next_even_at_the_end=st.booleans(),
)
def test_the_runs_together_hold_everything_once_one_was_quiet(  # noqa: PLR0913
    server: Server,
    life: list[tuple[Burst, list[Burst]]],
    turns: list[int],
    lookback: timedelta,
    off: timedelta,
    *,
    next_even_at_the_end: bool,
) -> None:
    tap = Tap(lookback=lookback)
    server.next_even_at_the_end = next_even_at_the_end
    with patch.object(WrongClock, "off", off), patch.object(replication, "datetime", WrongClock):
        for before, during in life:
            server.live(before)
            server.coming = iter(during)
            Run(tap, server).to_its_end(turns)
        server.coming = iter(())
        Run(tap, server).to_its_end()
    assert tap.held == server.versions()


@often
@given(server=servers, life=lives, lookback=lookbacks)
def test_each_run_has_every_row_of_a_list_at_least_as_new_as_at_its_start(
    server: Server, life: list[tuple[Burst, list[Burst]]], lookback: timedelta
) -> None:
    tap = Tap(lookback=lookback)
    for before, during in life:
        server.live(before)
        existing = server.versions()
        server.coming = iter(during)
        Run(tap, server).to_its_end()
        assert not tap.missing(existing)


@often
@given(server=several_lists, life=lives, since=st.integers(0, 100_000).map(at))
def test_a_start_date_leaves_out_only_what_is_older(
    server: Server, life: list[tuple[Burst, list[Burst]]], since: datetime
) -> None:
    tap = Tap(start_date=since)
    for before, during in life:
        server.live(before)
        server.coming = iter(during)
        Run(tap, server).to_its_end()
    server.coming = iter(())
    Run(tap, server).to_its_end()
    wanted = {
        identity: item.version
        for identity, item in server.items.items()
        if item.updated is None or at(item.updated) >= since
    }
    assert not tap.missing(wanted)
    server.now += 200_000
    fresh = Tap(start_date=since)
    Run(fresh, server).to_its_end()
    assert fresh.held == wanted


def test_the_servers_clock_is_what_saves_a_change_in_mid_run() -> None:
    def after_two_runs(clock: Callable[[Server], datetime | None]) -> dict[str, int]:
        server, tap = Server(page_size=1), Tap(clock=clock)
        server.live([("create", 0, 0), ("create", 0, 1000)])
        # The list is read newest first: row 1 changes when it has been read, row 0 before.
        server.coming = iter([[], [("update", 1, 5000), ("update", 0, 5000)]])
        run = Run(tap, server)
        for page in run.in_turn():
            if not page.again:
                run.take(page)
        run.commit()
        server.coming = iter(())
        Run(tap, server).to_its_end()
        return tap.missing(server.versions())

    assert after_two_runs(lambda server: server.date) == {}
    assert after_two_runs(lambda server: server.date + timedelta(minutes=5)) == {"001": 2}


@sometimes
@given(server=several_lists, life=lives)
def test_without_a_servers_clock_there_is_no_bookmark_and_nothing_is_lost(
    server: Server, life: list[tuple[Burst, list[Burst]]]
) -> None:
    tap = Tap(clock=lambda _: None)
    for before, during in life:
        server.live(before)
        server.coming = iter(during)
        Run(tap, server).to_its_end()
        assert "replication_key_value" not in tap.state
    server.coming = iter(())
    Run(tap, server).to_its_end()
    assert tap.held == server.versions()


def test_a_run_without_changes_reads_one_page_of_each_list() -> None:
    server = Server(labels=("archived=false", "archived=true"), page_size=2)
    server.live([("create", home, 1000) for home in (0, 1) * 5])
    server.live([("update", 0, 60_000), ("update", 1, 60_000)])
    tap = Tap()
    Run(tap, server).to_its_end()
    server.now += 60_000
    pages = list(Run(tap, server).pages())
    assert [(page.label, page.again) for page in pages] == [
        ("archived=false", False),
        ("archived=true", False),
    ]


# How a pass is planned


def test_a_first_pass_goes_to_the_end_in_an_order_that_no_change_can_move() -> None:
    assert plan_pass(None, None, timedelta(hours=1)) == FIRST_PASS == Pass("createdAt", None)


def test_a_later_pass_starts_at_the_bookmark_less_the_lookback_or_at_a_later_start_date() -> None:
    lookback, bookmark = timedelta(minutes=5), at(0)
    assert plan_pass(bookmark, None, lookback) == Pass("updatedAt", bookmark - lookback)
    earlier, later = bookmark - 2 * lookback, bookmark + lookback
    assert plan_pass(bookmark, earlier, lookback) == Pass("updatedAt", bookmark - lookback)
    assert plan_pass(bookmark, later, lookback) == Pass("updatedAt", later)
    assert plan_pass(None, later, lookback) == Pass("updatedAt", later)


@sometimes
@given(
    st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(min_value=timedelta(0)),
)
def test_no_lookback_reaches_too_far_back(bookmark: datetime, lookback: timedelta) -> None:
    plan = plan_pass(bookmark, None, lookback)
    assert plan.sort_by == "updatedAt"
    assert plan.start is not None
    assert plan.start <= bookmark


# What a page is kept of


def page_of(*moments: int | str | None) -> list[Row]:
    return [{"updatedAt": zulu(at(m)) if isinstance(m, int) else m} for m in moments]


def test_what_is_as_old_as_the_start_is_kept_and_does_not_end_the_pass() -> None:
    window = Window(at(5))
    assert taken(window, page_of(7, 5, 5)) == (page_of(7, 5, 5), False)
    assert taken(window, page_of(5, 5, 4)) == (page_of(5, 5), True)
    assert window.newest == at(7)


def test_rows_without_a_moment_are_kept_and_never_end_a_pass() -> None:
    window = Window(at(5))
    odd = [*page_of(None, "", "yesterday"), {}, {"updatedAt": 0}]
    assert taken(window, odd) == (odd, False)
    assert taken(window, []) == ([], False)
    assert taken(window, page_of(4, None)) == (page_of(None), True)
    assert window.newest is None


def test_another_property_may_tell_the_moment_of_change() -> None:
    window = Window(at(5), "changed")
    assert window.keep([{"changed": zulu(at(4)), "updatedAt": zulu(at(9))}]) == []


@sometimes
@given(
    st.lists(st.lists(st.none() | st.integers(0, 9), max_size=5), max_size=6), st.integers(0, 10)
)
def test_a_pass_ends_on_the_first_page_behind_the_start_unless_the_order_was_broken(
    pages: list[list[int | None]], start: int
) -> None:
    window = Window(at(start))
    seen: list[int] = []
    for page in pages:
        kept = window.keep(page_of(*page))
        assert kept == page_of(*(m for m in page if m is None or m >= start))
        seen += [m for m in page if m is not None]
        falling = all(one >= other for one, other in pairwise(seen))
        assert window.ordered == falling
        assert window.finished == (falling and bool(seen) and seen[-1] < start)
        assert window.newest == latest(at(m) for m in seen if m >= start)


@sometimes
@given(st.lists(st.lists(st.none() | st.integers(0, 9), max_size=5), max_size=6))
def test_a_first_pass_keeps_everything_and_never_ends_before_the_list(
    pages: list[list[int | None]],
) -> None:
    window = Window(None)
    for page in pages:
        assert window.keep(page_of(*page)) == page_of(*page)
        assert not window.finished


class Unsorted(Server):
    """A server that has forgotten how to sort by updatedAt."""

    def page(self, label: str, sort_by: SortKey | None, cursor: str | None) -> Row:
        body = super().page(label, sort_by, cursor)
        return {**body, "results": body["results"][::-1]} if sort_by == "updatedAt" else body


def test_a_list_out_of_order_is_read_to_its_end() -> None:
    server, tap = Unsorted(page_size=3), Tap()
    server.live([("create", 0, 1000) for _ in range(20)])
    Run(tap, server).to_its_end()
    server.live([("update", 3, 60_000), ("update", 9, 1000), ("update", 12, 1000)])
    # One of the three is the last row of its page, where an order that holds would end the pass.
    run = Run(tap, server)
    pages = [page for pages in run.lists().values() for page in pages]
    assert len(pages) == 7
    assert pages[-1].cursor is None


# What a run may remember


@sometimes
@given(maybe, maybe, maybe)
def test_a_bookmark_never_goes_back_and_never_passes_the_signpost(
    old: datetime | None, newest: datetime | None, signpost: datetime | None
) -> None:
    bookmark = next_bookmark(old, newest, signpost)
    if newest is None or signpost is None:
        assert bookmark == old
        return
    assert bookmark is not None
    assert old is None or bookmark >= old
    assert bookmark == old or bookmark <= min(newest, signpost)
    assert bookmark >= min(newest, signpost)
