"""Pages of records are written past the SDK's loop where it would change nothing, and then as it would."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.singerlib.messages import RecordMessage

from harness.support import Row, catalog, config_for, run_in_process
from sandbox import Sandbox
from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.sync.batches import CompressedRecords, ListRequest
from tap_vitally.tap import TapVitally
from tap_vitally.writer import MessageWriter

EXTRACTED = re.compile(rb',"time_extracted":"[^"]*Z"')
CHOSEN = {"include_archived": True, "custom_object_streams": True, "trait_columns": True}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


class Kept(MessageWriter):
    """Keeps every line as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.output = b""

    def flush(self) -> None:
        self.output += self._lines
        self._lines.clear()


@given(st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=4))
def test_a_page_becomes_the_lines_of_its_records(records: list[Row]) -> None:
    at_once, after_a_wait, one_by_one = Kept(), Kept(), Kept()
    at_once.write_records("users", records)
    at_once.flush()
    after_a_wait.write_records("users", CompressedRecords(records))
    after_a_wait.flush()
    for record in records:
        one_by_one.write_message(RecordMessage("users", record))
    one_by_one.flush()
    assert EXTRACTED.sub(b"", at_once.output) == one_by_one.output
    assert EXTRACTED.sub(b"", after_a_wait.output) == one_by_one.output
    assert len(EXTRACTED.findall(at_once.output)) == len(records)


def lines_of(config: Row, entries: Row) -> list[bytes]:
    """Run the tap, and return its lines without the moments that differ from run to run."""
    writer = Kept()
    tap = TapVitally(config=config, catalog=entries, message_writer=writer)
    try:
        tap.sync_all()
    finally:
        tap.run.stop()
    return [EXTRACTED.sub(b"", line) for line in writer.output.split(b"\n")]


def counted(caplog: pytest.LogCaptureFixture) -> dict[str, int]:
    """Return the records that the SDK's metric says each stream has."""
    points: list[Any] = [record.args[0] for record in caplog.records if record.args]  # type: ignore[index]
    found: dict[str, int] = {}
    for point in points:
        if getattr(point, "metric", None) == "record_count":
            name = point.tags["stream"]
            found[name] = found.get(name, 0) + point.value
    return found


@pytest.mark.parametrize("deselected", [[], ["traits", "createdAt", "accounts", "note"]])
def test_both_ways_write_the_same_for_every_stream(
    deselected: list[str],
    start_sandbox: Callable[..., Sandbox],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    sandbox = start_sandbox(accounts=15)
    config = config_for(sandbox.url, **CHOSEN)
    entries = catalog(None, config)
    for entry in entries["streams"]:
        for item in entry["metadata"]:
            if item["breadcrumb"][1:] and item["breadcrumb"][1] in deselected:
                item["metadata"]["selected"] = False
    found = {}
    for pages in (True, False):
        caplog.clear()
        if not pages:
            monkeypatch.setattr(VitallyStream, "_writes_pages", False)
        lines = [line for line in lines_of(config, entries) if b'"type":"RECORD"' in line]
        found[pages] = [line for line in lines if b'"stream":"vitally_sync_runs"' not in line]
        assert sum(counted(caplog).values()) == len(lines)
    # Health scores and the like carry the moment at which they were read.
    moments = re.compile(rb'"observedAt":"[^"]*"')
    one_by_one, at_once = ([moments.sub(b"", line) for line in found[p]] for p in (False, True))
    assert at_once == one_by_one
    assert len({line.split(b',"record":')[0] for line in at_once}) > 20


def is_written_in_pages(entries: Row | None = None, **settings: Any) -> bool:
    config = config_for("http://localhost", **settings)
    tap = TapVitally(config=config, catalog=entries or catalog(["users"]), message_writer=Kept())
    stream = tap.streams["users"]
    assert isinstance(stream, VitallyStream)
    return stream._writes_pages


@pytest.mark.parametrize(
    ("settings", "pages"),
    [
        ({}, True),
        ({"stream_maps": {"notes": {"id": "md5(id)"}}}, True),
        ({"stream_maps": {"users": {"email": "None"}}}, False),
        ({"stream_maps": {"users": {"__alias__": "people"}}}, False),
        ({"stream_maps": {"users": None}}, False),
        ({"stream_maps": {"copy": {"__source__": "users"}}}, False),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, False),
        ({"batch_config": {"encoding": {"format": "jsonl"}, "storage": {"root": "."}}}, False),
    ],
)
def test_the_loop_of_the_sdk_is_used_where_it_changes_records(settings: Row, pages: bool) -> None:
    assert is_written_in_pages(**settings) is pages


def test_a_property_deselected_within_another_is_left_out(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = start_sandbox(accounts=5)
    config = config_for(sandbox.url)
    entries = catalog(["accounts"], config)
    (entry,) = (each for each in entries["streams"] if each["stream"] == "accounts")
    whole = run_in_process(config, entries=entries)
    traits = {key for m in whole if m["type"] == "RECORD" for key in m["record"]["traits"] or ()}
    gone = min(traits)
    where = ["properties", "traits", "properties", gone]
    entry["metadata"].append({"breadcrumb": where, "metadata": {"selected": False}})
    cut = run_in_process(config, entries=entries)
    left = {key for m in cut if m["type"] == "RECORD" for key in m["record"]["traits"] or ()}
    assert left == traits - {gone}


def test_a_column_that_is_folded_into_another_may_stand_in_the_catalog() -> None:
    entries = catalog(["survey_responses"])
    (entry,) = (each for each in entries["streams"] if each["stream"] == "survey_responses")
    entry["schema"]["properties"]["userID"] = {"type": ["string", "null"]}
    tap = TapVitally(config=config_for("http://localhost"), catalog=entries, message_writer=Kept())
    stream = tap.streams["survey_responses"]
    assert isinstance(stream, VitallyStream)
    rows = [{"id": "1", "userID": "7"}, {"id": "2", "userId": "8"}]
    first, second = stream.reader.stream.mapper.records(rows, ListRequest("/surveys"))
    assert (first["userId"], first["userID"]) == ("7", None)
    assert (second["userId"], second["userID"]) == ("8", None)
