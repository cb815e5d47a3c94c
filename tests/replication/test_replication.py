"""Whatever happens while a list is read, no change is lost between runs.

A server is simulated that pages by keys, newest first, and whose rows change between any two of
its answers. The tap's own decisions read it, driven as `VitallyStream` drives them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_vitally.reading.reader import MOST_SECOND_LOOKS as LOOKS
from tap_vitally.replication import passes as replication
from tap_vitally.replication.instants import format_instant, latest, parse_instant
from tap_vitally.replication.passes import (
    FIRST_PASS,
    Pass,
    SortKey,
    Window,
    next_bookmark,
    plan_pass,
)
from tap_vitally.replication.place import Place, Resume
from vitally_api import Cursors

BEGINNING = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))

often = settings(max_examples=150, deadline=None)
sometimes = settings(max_examples=60, deadline=None)

Row = dict[str, Any]
Event = tuple[str, int, int]
Burst = list[Event]


# The simulated server


def at(milliseconds: int) -> datetime:
    return BEGINNING + timedelta(milliseconds=milliseconds)


def zulu(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


SPELLINGS: tuple[Callable[[datetime], str], ...] = (
    zulu,
    datetime.isoformat,  # without a fraction on a whole second
    lambda moment: moment.astimezone(INDIA).isoformat(),
    lambda moment: moment.isoformat(" ", "microseconds"),
    lambda moment: moment.replace(tzinfo=None).isoformat(timespec="milliseconds"),
    lambda moment: moment.astimezone(INDIA).strftime("%Y%m%dT%H%M%S.%f%z"),
)


@dataclass
class Item:
    """A row as the server keeps it, its moments in milliseconds."""

    home: str
    created: int
    updated: int | None
    version: int = 1

    def as_row(self, identity: str) -> Row:
        spell = SPELLINGS[(int(identity) + self.version) % len(SPELLINGS)]
        return {
            "id": identity,
            "version": self.version,
            "createdAt": spell(at(self.created)),
            "updatedAt": None if self.updated is None else spell(at(self.updated)),
        }


class Server:
    """Lists of rows, newest first, rows without the sort key before all others."""

    def __init__(self, *, labels: Sequence[str] = ("",), page_size: int = 2) -> None:
        self.labels = labels
        self.page_size = page_size
        self.next_even_at_the_end = False
        self.now = 0
        self.items: dict[str, Item] = {}
        self.coming: Iterator[Burst] = iter(())

    @property
    def date(self) -> datetime:
        """The clock as the Date header tells it."""
        return at(self.now).replace(microsecond=0)

    def live(self, burst: Iterable[Event]) -> None:
        for what, which, milliseconds in burst:
            self.now += milliseconds
            if what in {"create", "create undated"} or not self.items:
                updated = None if what == "create undated" else self.now
                home = self.labels[which % len(self.labels)]
                self.items[f"{len(self.items):03}"] = Item(home, self.now, updated)
                continue
            item = list(self.items.values())[which % len(self.items)]
            item.version += 1
            if item.updated is not None:
                item.updated = self.now
            if what == "move":
                item.home = self.labels[(self.labels.index(item.home) + 1) % len(self.labels)]

    def page(self, label: str, sort_by: SortKey | None, cursor: str | None) -> Row:
        self.live(next(self.coming, []))

        def place(identity: str) -> tuple[int, int, str]:
            item = self.items[identity]
            moment = item.created if sort_by == "createdAt" else item.updated
            return (1, 0, identity) if moment is None else (0, moment, identity)

        found = sorted((i for i in self.items if self.items[i].home == label), key=place)[::-1]
        if cursor:
            bound_to, *last = json.loads(cursor)
            assert bound_to == sort_by, "a cursor was used in another order"
            found = [identity for identity in found if place(identity) < tuple(last)]
        shown = found[: self.page_size]
        more = len(found) > len(shown) or (shown and self.next_even_at_the_end)
        return {
            "results": [self.items[identity].as_row(identity) for identity in shown],
            "next": json.dumps([sort_by, *place(shown[-1])]) if more else None,
        }

    def versions(self) -> dict[str, int]:
        return {identity: item.version for identity, item in self.items.items()}


# The tap's decisions, driven as the tap drives them


@dataclass
class Page:
    label: str
    rows: list[Row]
    cursor: str | None
    newest: datetime | None
    ends: bool
    again: bool = False


@dataclass
class Tap:
    """What the operator chose, and what the target has."""

    start_date: datetime | None = None
    lookback: timedelta = timedelta(0)
    clock: Callable[[Server], datetime | None] = lambda server: server.date
    held: dict[str, int] = field(default_factory=dict)
    state: Row = field(default_factory=dict)

    def write(self, rows: Iterable[Row]) -> None:
        self.held.update((row["id"], row["version"]) for row in rows)

    def missing(self, truth: dict[str, int]) -> dict[str, int]:
        """The rows that the target lacks, or has in an older version."""
        return {i: version for i, version in truth.items() if self.held.get(i, 0) < version}


class Run:
    """One run of one stream."""

    def __init__(self, tap: Tap, server: Server) -> None:
        self.tap, self.server = tap, server
        self.signpost = tap.clock(server)
        self.place = Place.from_state(tap.state, "updatedAt", self.signpost)
        self.plan = plan_pass(self.place.bookmark, tap.start_date, tap.lookback)
        resume = self.place.resume
        if resume and resume.cursor and resume.sort_by != self.plan.sort_by:
            self.place.resume = None
        self.place.go_on(list(server.labels))
        self.several: list[str] = []

    def walk(
        self, label: str, sort_by: SortKey | None, start: datetime | None, cursor: str | None = None
    ) -> Iterator[Page]:
        cursors, window = Cursors(cursor), Window(start)
        while not (cursors.finished or window.finished):
            body = self.server.page(label, sort_by, cursors.current)
            following = cursors.following(body)
            cursors.advance(following, len(body["results"]))
            rows, over = taken(window, body["results"])
            yield Page(label, rows, following, window.newest, following is None or over)

    def lists(self) -> dict[str, Iterator[Page]]:
        """The lists still to be read, from where an interrupted run left them."""
        resume, labels = self.place.resume, self.server.labels
        left = labels[labels.index(resume.context) :] if resume else labels
        return {
            label: self.walk(
                label,
                self.plan.sort_by,
                self.plan.start,
                resume.cursor if resume and resume.context == label else None,
            )
            for label in left
        }

    def look_again(self) -> Iterator[Page]:
        for label in self.server.labels if self.several and self.place.signpost else ():
            for look in range(LOOKS):
                if look == LOOKS - 1:
                    self.server.coming = iter(())  # the list comes to rest at last
                pages = list(self.walk(label, "updatedAt", self.place.signpost))
                yield from (replace(page, again=True, ends=False) for page in pages)
                if len(pages) == 1:
                    break

    def pages(self, turns: Iterable[int] = ()) -> Iterator[Page]:
        """All pages in the order in which they are written, fetched in any order of the lists."""
        lists, whose_turn = self.lists(), iter(turns)
        fetched: dict[str, list[Page]] = {label: [] for label in lists}
        while lists:
            label = list(lists)[next(whose_turn, 0) % len(lists)]
            page = next(lists[label], None)
            if page is None:
                del lists[label]
            else:
                fetched[label].append(page)
        self.several = [label for label, pages in fetched.items() if len(pages) > 1]
        for pages in fetched.values():
            yield from pages
        yield from self.look_again()

    def in_turn(self) -> Iterator[Page]:
        """All pages, one list after the other, each fetched when it is wanted."""
        for label, pages in self.lists().items():
            for number, page in enumerate(pages):
                if number == 1:
                    self.several.append(label)
                yield page
        yield from self.look_again()

    def take(self, page: Page) -> Row | None:
        """Write a page, and return what STATE says from then on, if it changes."""
        self.tap.write(page.rows)
        self.place.take(page.newest)
        if page.ends:
            self.place.finished.add(page.label)
        if page.again or self.place.signpost is None:
            return None
        label, cursor, labels = page.label, page.cursor, self.server.labels
        if page.ends:
            following = labels[labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        resume = Resume(self.place.signpost, self.place.newest, label, cursor, self.plan.sort_by)
        return as_json({**self.tap.state, **self.place.unfinished(resume)})

    def commit(self) -> None:
        changed = self.place.complete("updatedAt")
        entry = {name: value for name, value in {**self.tap.state, **changed}.items() if value}
        self.tap.state = as_json(entry)

    def to_its_end(self, turns: Iterable[int] = ()) -> None:
        for page in self.pages(turns):
            self.take(page)
        self.commit()


def taken(window: Window, rows: list[Row]) -> tuple[list[Row], bool]:
    """What a window keeps of a page, and whether the pass ends with it."""
    return window.keep(rows), window.finished


def as_json(state: Row) -> Row:
    decoded: Row = json.loads(json.dumps(state))
    return decoded


# What may happen

events = st.tuples(
    st.sampled_from(["create", "update", "update", "move", "create undated"]),
    st.integers(0, 40),
    st.sampled_from([0, 0, 1, 300, 999, 1000, 61_000]),
)
bursts = st.lists(events, max_size=4)
lives = st.lists(st.tuples(bursts, st.lists(bursts, max_size=8)), min_size=1, max_size=4)
servers = st.builds(Server, page_size=st.integers(1, 5))
several_lists = st.builds(
    Server, labels=st.just(("archived=false", "archived=true")), page_size=st.integers(1, 5)
)
lookbacks = st.sampled_from([timedelta(0), timedelta(seconds=2)])
minutes_off = st.integers(-10, 10).map(lambda minutes: timedelta(minutes=minutes))


class _WrongClock(datetime):
    """A local clock that is off, for whoever should ask for the time."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + cls.off


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
    with patch.object(_WrongClock, "off", off), patch.object(replication, "datetime", _WrongClock):
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


# Interruption costs time, never data


@often
@given(
    server=st.one_of(servers, several_lists),
    rows=st.lists(events, max_size=25),
    before=st.booleans(),
    interruptions=st.lists(st.integers(0, 6), min_size=1, max_size=4),
)
def test_an_interrupted_pass_ends_like_one_that_was_not(
    server: Server, rows: Burst, interruptions: list[int], *, before: bool
) -> None:
    tap = Tap()
    if before:
        server.live(rows)
        Run(tap, server).to_its_end()
    server.live(rows)
    other = replace(tap, held=dict(tap.held))
    Run(other, server).to_its_end()
    for read in interruptions:
        _interrupted(tap, server, read, forgotten=0)
    Run(tap, server).to_its_end()
    assert tap.held == other.held == server.versions()
    assert tap.state == other.state


@often
@given(
    server=st.one_of(servers, several_lists),
    life=lives,
    interruptions=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 3), bursts), min_size=1, max_size=4
    ),
    off=minutes_off,
)
def test_nothing_that_changes_around_interruptions_is_lost(
    server: Server,
    life: list[tuple[Burst, list[Burst]]],
    interruptions: list[tuple[int, int, Burst]],
    off: timedelta,
) -> None:
    tap = Tap()
    with patch.object(_WrongClock, "off", off), patch.object(replication, "datetime", _WrongClock):
        for before, during in life:
            server.live(before)
            server.coming = iter(during)
            for read, forgotten, burst in interruptions:
                _interrupted(tap, server, read, forgotten)
                server.live(burst)
            Run(tap, server).to_its_end()
        server.coming = iter(())
        Run(tap, server).to_its_end()
    assert tap.held == server.versions()


def _interrupted(tap: Tap, server: Server, read: int, forgotten: int) -> None:
    """Read some pages and stop; the target has flushed all STATE but the last few."""
    run = Run(tap, server)
    told = [tap.state]
    for page, _ in zip(run.in_turn(), range(read), strict=False):
        told.append(run.take(page) or told[-1])
    tap.state = told[: len(told) - forgotten or 1][-1] if forgotten < len(told) else told[0]


def test_a_resumed_pass_does_not_read_again_what_was_delivered() -> None:
    server, tap = Server(labels=("archived=false", "archived=true"), page_size=2), Tap()
    server.live([("create", which % 2, 1000) for which in range(20)])
    server.now += 1000
    _interrupted(tap, server, 7, forgotten=0)  # all five pages of one list, two of the other
    tap.held.clear()
    Run(tap, server).to_its_end()
    left = sorted(i for i, item in server.items.items() if item.home == "archived=true")[:-4]
    assert sorted(tap.held) == left


moments = st.integers(-(10**13), 10**13).map(at)


@sometimes
@given(
    st.builds(
        Resume,
        signpost=moments,
        newest=st.none() | moments,
        context=st.sampled_from(["", "archived=true"]),
        cursor=st.none() | st.text(min_size=1),
        sort_by=st.sampled_from([None, "createdAt", "updatedAt"]),
        parents_after=st.none() | moments,
    )
)
def test_a_place_survives_being_state(resume: Resume) -> None:
    assert Resume.from_state(as_json(resume.to_state())) == resume


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | moments.map(zulu),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


def entries(*names: str) -> st.SearchStrategy[Row]:
    """Objects that have some of these members, with values of any kind, and unknown ones too."""
    known: Row = dict.fromkeys(names, json_values)
    return st.fixed_dictionaries({"from a later version": json_values}, optional=known)


resumes = entries("signpost", "newest", "context", "cursor", "sort_by", "parents_after")
states = st.fixed_dictionaries(
    {},
    optional={
        "replication_key": st.sampled_from(["updatedAt", "modified", 5]),
        "replication_key_value": json_values,
        "contexts": json_values,
        "skipped": json_values,
        "resume": resumes | json_values,
        "partitions": json_values,
        "from a later version": json_values,
    },
)


@sometimes
@given(resumes | json_values)
def test_a_place_of_no_use_is_none_and_one_of_use_is_sound(state: Any) -> None:
    resume = Resume.from_state(state)
    if resume is None:
        assert not isinstance(state, dict) or parse_instant(state.get("signpost")) is None
        return
    assert resume.signpost == parse_instant(state["signpost"])
    assert isinstance(resume.context, str)
    assert resume.cursor is None or isinstance(resume.cursor, str)
    assert resume.sort_by in {None, "createdAt", "updatedAt"}
    assert Resume.from_state(as_json(resume.to_state())) is not None


@often
@given(state=states, rows=st.lists(events, max_size=10))
def test_state_of_any_version_loads(state: Row, rows: Burst) -> None:
    place = Place.from_state(state, "updatedAt", BEGINNING)
    plan = plan_pass(place.bookmark, None, timedelta(minutes=5))
    known = state.get("replication_key") == "updatedAt"
    bookmark = parse_instant(state.get("replication_key_value")) if known else None
    assert (plan == FIRST_PASS) == (bookmark is None)
    if "resume" not in state and bookmark is None:
        server, tap = Server(), Tap(state=state)
        server.live(rows)
        Run(tap, server).to_its_end()
        assert tap.held == server.versions()


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


# Moments


@sometimes
@given(moments, st.sampled_from(SPELLINGS))
def test_a_moment_is_the_same_however_it_is_spelt(
    moment: datetime, spell: Callable[[datetime], str]
) -> None:
    assert parse_instant(spell(moment)) == moment


def test_spellings_are_compared_as_instants() -> None:
    window = Window(parse_instant("2026-03-04T05:06:07Z"))
    falling = [
        "2026-03-04T10:36:07.002+05:30",
        "2026-03-04T05:06:07.001Z",
        "2026-03-04T00:06:07-05:00",
        "2026-03-04T05:06:07+00:00",
    ]
    rows = [{"updatedAt": text} for text in falling]
    assert window.keep(rows) == rows
    assert window.ordered
    assert not window.finished


@pytest.mark.parametrize("value", [None, "", "soon", 5, 1.5, True, {}, [], "2026-13-01", "24:00"])
def test_what_is_no_moment_is_none(value: Any) -> None:
    assert parse_instant(value) is None


@sometimes
@given(json_values)
def test_no_value_breaks_the_reading_of_moments(value: Any) -> None:
    moment = parse_instant(value)
    assert moment is None or moment.utcoffset() == timedelta(0)


@sometimes
@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_never_written_later_than_it_is(moment: datetime) -> None:
    written = parse_instant(format_instant(moment))
    assert written is not None
    assert moment - timedelta(milliseconds=1) < written <= moment


# What a run may remember

maybe = st.none() | st.integers(0, 9).map(at)


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


@sometimes
@given(st.lists(maybe))
def test_the_latest_of_moments_some_of_which_are_missing(moments: list[datetime | None]) -> None:
    found = latest(moments)
    told = [moment for moment in moments if moment]
    assert (found is None) == (not told)
    assert all(found is not None and found >= moment for moment in told)
    assert found is None or found in told
