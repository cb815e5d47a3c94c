"""Histories that lost something once, and what each of them needed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.fuzzer import Fuzzer
from harness.run_attempts import Attempt, PlannedFault
from harness.support import Warehouse, waits_pass_in_no_time
from sandbox import scenarios

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with waits_pass_in_no_time():
        yield


@pytest.fixture
def fuzzer() -> Iterator[Callable[..., Fuzzer]]:
    """Open hunts that are closed with the test."""
    opened: list[Fuzzer] = []

    def start(**how: Any) -> Fuzzer:
        opened.append(Fuzzer(**how))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


StartFuzzer = Callable[..., Fuzzer]


def ended_anywhere(fuzzer: Fuzzer, lines: range, **what: Any) -> None:
    """From one and the same state, end a run after each number of lines, then finish in peace.

    Something changes before that, which takes the bookmark as far as the signpost allows.
    """
    before = copy.deepcopy(fuzzer.warehouse)
    interrupted = 0
    for at in lines:
        fuzzer.warehouse = copy.deepcopy(before)
        fuzzer.run(Attempt(ends_by="term", after="lines", at=at, **what))
        entries = (fuzzer.warehouse.state or {}).get("bookmarks", {}).values()
        interrupted += any(bool(entry.get("resume")) for entry in entries)
        fuzzer.live(10)
        fuzzer.world.update("conversations", fuzzer.world.ids("conversations")[1], subject=str(at))
        fuzzer.finish()
    assert interrupted, "no run was ended in the middle of a pass"


def test_details_come_in_the_order_of_changes_not_of_creation(fuzzer: StartFuzzer) -> None:
    """Conversations that changed were taken for done when older ones were."""
    changed = fuzzer(streams=("messages",), page_size=7, inventory=())
    changed.run(Attempt())
    changed.live(100)
    oldest_first = changed.world.ids("conversations")
    for position in (2, 0, 4):
        changed.clock.advance(5)
        changed.world.add_message(oldest_first[position])
    ended_anywhere(changed, range(1, 20, 2))


def test_details_from_a_start_date_come_in_the_order_of_changes(fuzzer: StartFuzzer) -> None:
    dated = fuzzer(streams=("messages",), page_size=7, start_days=600, inventory=())
    for position in (1, 2, 0):
        dated.clock.advance(1)
        dated.world.add_message(dated.world.ids("conversations")[position])
    ended_anywhere(dated, range(1, 25, 2))


def test_parents_that_cannot_be_sorted_are_not_taken_for_sorted(fuzzer: StartFuzzer) -> None:
    """Custom objects come in any order, so a place among them says nothing."""
    objects = fuzzer(streams=("custom_object_instances",), page_size=7, inventory=())
    for position in (1, 2, 0):
        objects.clock.advance(1)
        key = objects.world.ids("customObjects")[position]
        objects.world.update("customObjects", key, label="edited")
    for at in range(1, 20, 2):
        objects.warehouse = Warehouse()
        objects.run(Attempt(ends_by="term", after="lines", at=at))
        objects.finish()


def test_parents_on_a_page_out_of_order_are_not_taken_for_sorted(fuzzer: StartFuzzer) -> None:
    users = fuzzer(streams=("account_users",), page_size=7, inventory=())
    reversed_page = PlannedFault("out_of_order", "accounts", times=None)
    for at in range(1, 20, 2):
        users.warehouse = Warehouse()
        users.run(Attempt(ends_by="term", after="lines", at=at, planned_faults=(reversed_page,)))
        users.finish()


def test_changed_parents_on_a_page_out_of_order_are_not_taken_for_sorted(
    fuzzer: StartFuzzer,
) -> None:
    changed = fuzzer(streams=("messages",), page_size=7, inventory=())
    changed.run(Attempt())
    changed.live(100)
    for key in changed.world.ids("conversations"):
        changed.clock.advance(5)
        changed.world.add_message(key)
    reversed_page = PlannedFault("out_of_order", "conversations", times=None)
    ended_anywhere(changed, range(3, 20, 2), planned_faults=(reversed_page,))


def test_transcripts_that_could_not_be_read_are_read_by_the_next_run(fuzzer: StartFuzzer) -> None:
    """They were listed among the skipped, and forgotten."""
    transcripts = fuzzer(seed=1, streams=("meeting_transcripts",), inventory=())
    broken = PlannedFault("reset_mid_body", "meetingTranscripts/*", times=None)
    assert transcripts.run(Attempt(planned_faults=(broken,)))
    assert transcripts.warehouse.state
    assert transcripts.warehouse.state["bookmarks"]["meeting_transcripts"]["skipped"]
    transcripts.finish()


def test_a_list_of_transcripts_that_was_there_is_not_done_without(fuzzer: StartFuzzer) -> None:
    """The meetings were asked in its place, and what had changed without its meeting was lost."""
    transcripts = fuzzer(seed=1, streams=("meeting_transcripts",), inventory=())
    transcripts.run(Attempt())
    transcripts.live(100)
    changed = transcripts.world.ids("meetingTranscripts")[0]
    scenarios.edit(transcripts.world, "meetingTranscripts", changed)
    refused = PlannedFault("status", "meetingTranscripts", times=None, status=403)
    before = bookmark(transcripts)
    assert transcripts.run(Attempt(planned_faults=(refused,)))
    assert bookmark(transcripts) == before
    transcripts.finish()


def bookmark(transcripts: Fuzzer) -> str:
    assert transcripts.warehouse.state
    entry = transcripts.warehouse.state["bookmarks"]["meeting_transcripts"]
    return str(entry["replication_key_value"])


def test_what_the_meetings_did_not_show_the_list_does_once_it_is_there(
    fuzzer: StartFuzzer,
) -> None:
    transcripts = fuzzer(seed=1, streams=("meeting_transcripts",), inventory=())
    refused = PlannedFault("status", "meetingTranscripts", times=None, status=403)
    assert transcripts.run(Attempt(planned_faults=(refused,)))
    transcripts.live(100)
    # The bookmark goes past what changed without its meeting; a narrow run promises nothing.
    world = transcripts.world
    scenarios.edit(world, "meetingTranscripts", world.ids("meetingTranscripts")[0])
    transcripts.live(100)
    for meeting in world.ids("meetings")[-2:]:
        scenarios.edit(world, "meetings", meeting)
    transcripts.live(100)
    before = bookmark(transcripts)
    assert transcripts.run(Attempt(planned_faults=(refused,), narrow=True))
    assert bookmark(transcripts) > before
    transcripts.finish()


def test_a_transcript_without_a_meeting_is_given_none(fuzzer: StartFuzzer) -> None:
    """Tried again by its id alone, it was given that for its meeting's."""
    transcripts = fuzzer(seed=1, streams=("meeting_transcripts",), inventory=())
    transcripts.run(Attempt())
    for key in transcripts.world.ids("meetingTranscripts"):
        transcripts.live(10)
        transcripts.world.update("meetingTranscripts", key, meetingId=None)
    broken = PlannedFault("html_200", "meetingTranscripts/*", times=None)
    assert transcripts.run(Attempt(planned_faults=(broken,)))
    transcripts.finish()


def test_a_parent_that_could_not_be_read_is_not_forgotten_when_the_run_is_killed(
    fuzzer: StartFuzzer,
) -> None:
    notes = fuzzer(streams=("account_notes",), inventory=())
    for at in range(4, 24, 4):
        notes.warehouse = Warehouse()
        broken = PlannedFault("status", "accounts/{account}/notes", times=None, account=3)
        notes.run(Attempt(ends_by="term", after="lines", at=at, planned_faults=(broken,)))
        notes.finish()


def test_a_parent_that_moves_ahead_of_two_looks_is_found_by_the_third(fuzzer: StartFuzzer) -> None:
    """It changed again while the second look was on its way to where it had been."""
    messages = fuzzer(seed=9, streams=("messages",), page_size=3, lookback=1, inventory=())
    messages.live(100_000.0, (2532, 4631, 2603, 1014))
    messages.run(Attempt(concurrency=1, pace=0.0))
    messages.live(5.0, (4147, 5748, 5272, 3161, 3747))
    changes = ((7, 7537), (13, 8642), (6, 4604), (7, 4722))
    assert messages.run(Attempt(concurrency=1, pace=1.0, changes=changes))
    messages.finish()
