"""Histories that lost something once, and what each of them needed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.fuzzer import Fuzzer
from harness.run_attempts import Attempt, Trouble
from harness.support import Warehouse, waits_pass_in_no_time

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with waits_pass_in_no_time():
        yield


@pytest.fixture
def hunt() -> Iterator[Callable[..., Fuzzer]]:
    """Open hunts that are closed with the test."""
    opened: list[Fuzzer] = []

    def start(**how: Any) -> Fuzzer:
        opened.append(Fuzzer(**how))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


StartHunt = Callable[..., Fuzzer]


def ended_anywhere(hunt: Fuzzer, lines: range, **what: Any) -> None:
    """From one and the same state, end a run after each number of lines, then finish in peace.

    Something changes before that, which takes the bookmark as far as the signpost allows.
    """
    before = copy.deepcopy(hunt.warehouse)
    interrupted = 0
    for at in lines:
        hunt.warehouse = copy.deepcopy(before)
        hunt.run(Attempt(ending="term", after="lines", at=at, **what))
        entries = (hunt.warehouse.state or {}).get("bookmarks", {}).values()
        interrupted += any(bool(entry.get("resume")) for entry in entries)
        hunt.live(10)
        hunt.world.update("conversations", hunt.world.ids("conversations")[1], subject=str(at))
        hunt.finish()
    assert interrupted, "no run was ended in the middle of a pass"


def test_details_come_in_the_order_of_changes_not_of_creation(hunt: StartHunt) -> None:
    """Conversations that changed were taken for done when older ones were."""
    changed = hunt(streams=("messages",), page_size=7, inventory=())
    changed.run(Attempt())
    changed.live(100)
    oldest_first = changed.world.ids("conversations")
    for position in (2, 0, 4):
        changed.clock.advance(5)
        changed.world.add_message(oldest_first[position])
    ended_anywhere(changed, range(1, 20))


def test_details_from_a_start_date_come_in_the_order_of_changes(hunt: StartHunt) -> None:
    dated = hunt(streams=("messages",), page_size=7, start_days=600, inventory=())
    for position in (1, 2, 0):
        dated.clock.advance(1)
        dated.world.add_message(dated.world.ids("conversations")[position])
    ended_anywhere(dated, range(1, 25))


def test_parents_that_cannot_be_sorted_are_not_taken_for_sorted(hunt: StartHunt) -> None:
    """Custom objects come in any order, so a place among them says nothing."""
    objects = hunt(streams=("custom_object_instances",), page_size=7, inventory=())
    for position in (1, 2, 0):
        objects.clock.advance(1)
        key = objects.world.ids("customObjects")[position]
        objects.world.update("customObjects", key, label="edited")
    for at in range(1, 20):
        objects.warehouse = Warehouse()
        objects.run(Attempt(ending="term", after="lines", at=at))
        objects.finish()


def test_parents_on_a_page_out_of_order_are_not_taken_for_sorted(hunt: StartHunt) -> None:
    users = hunt(streams=("account_users",), page_size=7, inventory=())
    reversed_page = Trouble("out_of_order", "accounts", times=None)
    for at in range(1, 20):
        users.warehouse = Warehouse()
        users.run(Attempt(ending="term", after="lines", at=at, troubles=(reversed_page,)))
        users.finish()


def test_changed_parents_on_a_page_out_of_order_are_not_taken_for_sorted(hunt: StartHunt) -> None:
    changed = hunt(streams=("messages",), page_size=7, inventory=())
    changed.run(Attempt())
    changed.live(100)
    for key in changed.world.ids("conversations"):
        changed.clock.advance(5)
        changed.world.add_message(key)
    reversed_page = Trouble("out_of_order", "conversations", times=None)
    ended_anywhere(changed, range(3, 20), troubles=(reversed_page,))


def test_transcripts_that_could_not_be_read_are_read_by_the_next_run(hunt: StartHunt) -> None:
    """They were listed among the skipped, and forgotten."""
    transcripts = hunt(seed=1, streams=("meeting_transcripts",), inventory=())
    broken = Trouble("reset_mid_body", "meetingTranscripts/*", times=None)
    assert transcripts.run(Attempt(troubles=(broken,)))
    assert transcripts.warehouse.state
    assert transcripts.warehouse.state["bookmarks"]["meeting_transcripts"]["skipped"]
    transcripts.finish()


def test_a_transcript_without_a_meeting_is_given_none(hunt: StartHunt) -> None:
    """Tried again by its id alone, it was given that for its meeting's."""
    transcripts = hunt(seed=1, streams=("meeting_transcripts",), inventory=())
    transcripts.run(Attempt())
    for key in transcripts.world.ids("meetingTranscripts"):
        transcripts.live(10)
        transcripts.world.update("meetingTranscripts", key, meetingId=None)
    broken = Trouble("html_200", "meetingTranscripts/*", times=None)
    assert transcripts.run(Attempt(troubles=(broken,)))
    transcripts.finish()


def test_a_parent_that_could_not_be_read_is_not_forgotten_when_the_run_is_killed(
    hunt: StartHunt,
) -> None:
    notes = hunt(streams=("account_notes",), inventory=())
    for at in range(4, 24, 4):
        notes.warehouse = Warehouse()
        broken = Trouble("status", "accounts/{account}/notes", times=None, account=3)
        notes.run(Attempt(ending="term", after="lines", at=at, troubles=(broken,)))
        notes.finish()


def test_a_parent_that_moves_ahead_of_two_looks_is_found_by_the_third(hunt: StartHunt) -> None:
    """It changed again while the second look was on its way to where it had been."""
    messages = hunt(seed=9, streams=("messages",), page_size=3, lookback=1, inventory=())
    messages.live(100_000.0, (2532, 4631, 2603, 1014))
    messages.run(Attempt(concurrency=1, pace=0.0))
    messages.live(5.0, (4147, 5748, 5272, 3161, 3747))
    changes = ((7, 7537), (13, 8642), (6, 4604), (7, 4722))
    assert messages.run(Attempt(concurrency=1, pace=1.0, changes=changes))
    messages.finish()
