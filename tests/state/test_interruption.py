"""Interruption costs time, never data: a broken-off pass goes on, whatever STATE was kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.state import passes as replication
from tap_vitally.state.passes import FIRST_PASS, plan_pass
from tap_vitally.state.stream_state import Resume, StreamState, reason_to_discard
from tests.state.simulation import (
    BEGINNING,
    Burst,
    Row,
    Run,
    Server,
    Tap,
    WrongClock,
    as_json,
    bursts,
    events,
    json_values,
    lives,
    lookbacks,
    minutes_off,
    moments,
    often,
    servers,
    several_lists,
    sometimes,
)
from vitally_api.values import parse_moment


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
    with patch.object(WrongClock, "off", off), patch.object(replication, "datetime", WrongClock):
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


@often
@given(
    server=st.one_of(servers, several_lists),
    life=lives,
    interruptions=st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 3), bursts), min_size=0, max_size=4
    ),
    hours=st.sampled_from([1, 24]),
    lookback=lookbacks,
)
def test_a_read_of_everything_that_is_due_loses_nothing_and_brings_what_no_moment_tells(
    server: Server,
    life: list[tuple[Burst, list[Burst]]],
    interruptions: list[tuple[int, int, Burst]],
    hours: int,
    lookback: timedelta,
) -> None:
    tap = Tap(full_read=timedelta(hours=hours), lookback=lookback)
    for before, during in life:
        server.live(before)
        server.coming = iter(during)
        for read, forgotten, burst in interruptions:
            _interrupted(tap, server, read, forgotten)
            server.live(burst)
        existing = server.versions()
        Run(tap, server).to_its_end()
        if not interruptions and len(server.labels) == 1:
            assert not tap.missing(existing)
        server.now += 1_800_000
    server.coming = iter(())
    Run(tap, server).to_its_end()
    assert tap.held == server.versions()
    server.now += hours * 3_600_000
    Run(tap, server).to_its_end()
    assert tap.scores == server.scores()
    began = tap.state["wholeReadAt"]
    server.now += hours * 3_600_000 - 1001
    Run(tap, server).to_its_end()
    without_bookmark = "replication_key_value" not in tap.state
    assert (tap.state["wholeReadAt"] == began) or without_bookmark


def _interrupted(tap: Tap, server: Server, read: int, forgotten: int) -> None:
    """Read some pages and stop; the target has flushed all STATE but the last few."""
    run = Run(tap, server)
    reported = [tap.state]
    for page, _ in zip(run.in_turn(), range(read), strict=False):
        reported.append(run.take(page) or reported[-1])
    tap.state = (
        reported[: len(reported) - forgotten or 1][-1] if forgotten < len(reported) else reported[0]
    )


def test_a_resumed_pass_does_not_read_again_what_was_delivered() -> None:
    server, tap = Server(labels=("archived=false", "archived=true"), page_size=2), Tap()
    server.live([("create", which % 2, 1000) for which in range(20)])
    server.now += 1000
    _interrupted(tap, server, 7, forgotten=0)  # all five pages of one list, two of the other
    tap.held.clear()
    Run(tap, server).to_its_end()
    left = sorted(i for i, item in server.items.items() if item.home == "archived=true")[:-4]
    assert sorted(tap.held) == left


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
        assert not isinstance(state, dict) or parse_moment(state.get("signpost")) is None
        return
    assert resume.signpost == parse_moment(state["signpost"])
    assert isinstance(resume.context, str)
    assert resume.cursor is None or isinstance(resume.cursor, str)
    assert resume.sort_by in {None, "createdAt", "updatedAt"}
    assert Resume.from_state(as_json(resume.to_state())) is not None


@often
@given(state=states, rows=st.lists(events, max_size=10))
def test_state_of_any_version_loads(state: Row, rows: Burst) -> None:
    entry = {} if reason_to_discard(state, BEGINNING, None) else state
    stream_state = StreamState.from_state(entry, "updatedAt", BEGINNING)
    plan = plan_pass(stream_state.bookmark, None, timedelta(minutes=5))
    known = entry.get("replication_key") == "updatedAt"
    bookmark = parse_moment(entry.get("replication_key_value")) if known else None
    assert (plan == FIRST_PASS) == (bookmark is None)
    if "resume" not in state and bookmark is None:
        server, tap = Server(), Tap(state=state)
        server.live(rows)
        Run(tap, server).to_its_end()
        assert tap.held == server.versions()
