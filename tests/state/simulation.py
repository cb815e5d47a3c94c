"""A server whose rows change between any two of its answers, and the tap's decisions that read it.

It pages by keys, newest first. The decisions are driven as a reader drives them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tap_vitally.state.passes import SortKey, Window, is_due, plan_pass
from tap_vitally.state.stream_state import Resume, StreamState
from tap_vitally.sync.list_client import MOST_SECOND_LOOKS as LOOKS
from vitally_api import Cursors

BEGINNING = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))

often = settings(max_examples=75)
sometimes = settings(max_examples=40)

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
    score: int = 0
    """A value that moves and leaves everything else as it was."""

    def as_row(self, identity: str) -> Row:
        spell = SPELLINGS[(int(identity) + self.version) % len(SPELLINGS)]
        return {
            "id": identity,
            "version": self.version,
            "score": self.score,
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
            item.score += 1
            if what == "score":
                continue
            item.version += 1
            if item.updated is not None:
                item.updated = self.now
            if what == "move":
                item.home = self.labels[(self.labels.index(item.home) + 1) % len(self.labels)]

    def page(self, label: str, sort_by: SortKey | None, cursor: str | None) -> Row:
        self.live(next(self.coming, []))

        def stream_state(identity: str) -> tuple[int, int, str]:
            item = self.items[identity]
            moment = item.created if sort_by == "createdAt" else item.updated
            return (1, 0, identity) if moment is None else (0, moment, identity)

        found = sorted((i for i in self.items if self.items[i].home == label), key=stream_state)[
            ::-1
        ]
        if cursor:
            bound_to, *last = json.loads(cursor)
            assert bound_to == sort_by, "a cursor was used in another order"
            found = [identity for identity in found if stream_state(identity) < tuple(last)]
        displayed = found[: self.page_size]
        more = len(found) > len(displayed) or (displayed and self.next_even_at_the_end)
        return {
            "results": [self.items[identity].as_row(identity) for identity in displayed],
            "next": json.dumps([sort_by, *stream_state(displayed[-1])]) if more else None,
        }

    def versions(self) -> dict[str, int]:
        return {identity: item.version for identity, item in self.items.items()}

    def scores(self) -> dict[str, int]:
        return {identity: item.score for identity, item in self.items.items()}


# The tap's decisions, driven as the tap drives them


@dataclass
class RawPage:
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
    full_read: timedelta = timedelta(0)
    """How often everything is read; 0 for never."""
    held: dict[str, int] = field(default_factory=dict)
    scores: dict[str, int] = field(default_factory=dict)
    state: Row = field(default_factory=dict)

    def write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.held[row["id"]] = row["version"]
            self.scores[row["id"]] = row["score"]

    def missing(self, expected_rows: dict[str, int]) -> dict[str, int]:
        """The rows that the target lacks, or has in an older version."""
        return {i: version for i, version in expected_rows.items() if self.held.get(i, 0) < version}


class Run:
    """One run of one stream."""

    def __init__(self, tap: Tap, server: Server) -> None:
        self.tap, self.server = tap, server
        self.signpost = tap.clock(server)
        self.stream_state = StreamState.from_state(tap.state, "updatedAt", self.signpost)
        whole = is_due(self.stream_state.whole_read_at, self.signpost, tap.full_read)
        bookmark = None if whole else self.stream_state.bookmark
        self.plan = plan_pass(bookmark, tap.start_date, tap.lookback)
        resume = self.stream_state.resume
        if resume and tap.full_read:
            self.plan = resume.finishing(self.plan)
        if resume and resume.cursor and resume.sort_by != self.plan.sort_by:
            self.stream_state.resume = None
        self.stream_state.go_on(list(server.labels))
        self.several: list[str] = []

    def scan(
        self, label: str, sort_by: SortKey | None, start: datetime | None, cursor: str | None = None
    ) -> Iterator[RawPage]:
        cursors, window = Cursors(cursor), Window(start)
        while not (cursors.finished or window.finished):
            body = self.server.page(label, sort_by, cursors.current)
            following = cursors.following(body)
            cursors.advance(following, len(body["results"]))
            rows, over = taken(window, body["results"])
            yield RawPage(label, rows, following, window.newest, following is None or over)

    def lists(self) -> dict[str, Iterator[RawPage]]:
        """The lists still to be read, from where an interrupted run left them."""
        resume, labels = self.stream_state.resume, self.server.labels
        left = labels[labels.index(resume.context) :] if resume else labels
        return {
            label: self.scan(
                label,
                self.plan.sort_by,
                self.plan.start,
                resume.cursor if resume and resume.context == label else None,
            )
            for label in left
        }

    def look_again(self) -> Iterator[RawPage]:
        for label in self.server.labels if self.several and self.stream_state.signpost else ():
            for look in range(LOOKS):
                if look == LOOKS - 1:
                    self.server.coming = iter(())  # the list comes to rest at last
                pages = list(self.scan(label, "updatedAt", self.stream_state.signpost))
                yield from (replace(page, again=True, ends=False) for page in pages)
                if len(pages) == 1:
                    break

    def pages(self, turns: Iterable[int] = ()) -> Iterator[RawPage]:
        """All pages in the order in which they are written, fetched in any order of the lists."""
        lists, whose_turn = self.lists(), iter(turns)
        fetched: dict[str, list[RawPage]] = {label: [] for label in lists}
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

    def in_turn(self) -> Iterator[RawPage]:
        """All pages, one list after the other, each fetched when it is wanted."""
        for label, pages in self.lists().items():
            for number, page in enumerate(pages):
                if number == 1:
                    self.several.append(label)
                yield page
        yield from self.look_again()

    def take(self, page: RawPage) -> Row | None:
        """Write a page, and return what STATE says from then on, if it changes."""
        self.tap.write(page.rows)
        self.stream_state.take(page.newest)
        if page.ends:
            self.stream_state.finished.add(page.label)
        if page.again or self.stream_state.signpost is None:
            return None
        label, cursor, labels = page.label, page.cursor, self.server.labels
        if page.ends:
            following = labels[labels.index(label) + 1 :]
            if not following:
                return None
            label, cursor = following[0], None
        order, start = self.plan.sort_by, self.plan.start
        resume = Resume(
            self.stream_state.signpost, self.stream_state.newest, label, cursor, order, start=start
        )
        return as_json({**self.tap.state, **self.stream_state.unfinished(resume)})

    def commit(self) -> None:
        changed = self.stream_state.complete("updatedAt")
        if self.stream_state.signpost and self.plan.start == self.tap.start_date:
            changed["wholeReadAt"] = zulu(self.stream_state.signpost)
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
    st.sampled_from(["create", "update", "update", "move", "create undated", "score"]),
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


moments = st.integers(-(10**13), 10**13).map(at)
maybe = st.none() | st.integers(0, 9).map(at)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | moments.map(zulu),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


class WrongClock(datetime):
    """A local clock that is off, for whoever should ask for the time."""

    off = timedelta(0)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + cls.off
