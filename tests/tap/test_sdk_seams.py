"""Where the tap leans on the SDK, it is on members that exist and mean what the tap takes them for.

A test here that fails after an upgrade of the SDK says which seam has moved.
"""

from __future__ import annotations

import inspect
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import click
import pytest
from singer_sdk import Stream, Tap
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.singerlib.encoding.base import SingerMessageType
from singer_sdk.singerlib.messages import RecordMessage, StateMessage
from singer_sdk.streams._state import StreamStateManager
from singer_sdk.tap_base import CliTestOptionValue

from harness.support import Collector, config_for, run_in_process
from sandbox import Sandbox
from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import STREAMS
from tap_vitally.streams.custom import CustomObjectStream
from tap_vitally.sync.resource import Resource
from tap_vitally.tap import TapVitally
from tap_vitally.writer import MessageWriter

BASES = (VitallyStream,)


def ours() -> list[type]:
    """Every class of the tap that descends from one of the SDK's."""
    leaves: tuple[type, ...] = (TapVitally, MessageWriter, CustomObjectStream, *STREAMS)
    found = {
        parent: None
        for leaf in leaves
        for parent in leaf.__mro__
        if parent.__module__.startswith("tap_vitally")
    }
    return list(found)


def members(owner: type) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(owner).items()
        if not name.startswith(("__", "_abc_")) or name == "__init__"
    }


def of_the_sdk(owner: type, name: str) -> Any:
    """What a class would have under a name if the tap had not defined it; None for nothing."""
    parents = (p for p in owner.__mro__ if p.__module__.startswith("singer_sdk"))
    return next((vars(parent)[name] for parent in parents if name in vars(parent)), None)


def overrides() -> Iterator[tuple[type, str, Any, Any]]:
    for owner in ours():
        for name, value in members(owner).items():
            replaced = of_the_sdk(owner, name)
            if replaced is not None:
                yield owner, name, value, replaced


# What is overridden


def test_the_tap_overrides_what_it_means_to_and_nothing_by_accident() -> None:
    found = {(owner.__name__, name) for owner, name, _, _ in overrides() if owner not in STREAMS}
    assert found == {
        *(
            ("TapVitally", name)
            for name in (
                "__init__",
                "config_jsonschema",
                "capabilities",
                "message_writer_class",
                "discover_streams",
                "streams",
                "setup_mapper",
                "cb_discover",
                "cb_test",
                "invoke",
                "_handle_termination",
            )
        ),
        *(
            ("VitallyStream", name)
            for name in (
                "__init__",
                "primary_keys",
                "replication_key",
                "TYPE_CONFORMANCE_LEVEL",
                "STATE_MSG_FREQUENCY",
                "get_record_counter",
                "get_records",
                "get_batches",
                "apply_catalog",
                "get_replication_key_signpost",
                "_increment_stream_state",
                "log",
                "state_manager",
            )
        ),
        ("MessageWriter", "write_message"),
        ("CustomObjectStream", "schema"),
    }


def test_a_stream_overrides_only_what_a_declaration_may() -> None:
    found = {name for owner, name, _, _ in overrides() if owner in STREAMS}
    allowed = {"schema", "primary_keys", "replication_key", "selected_by_default", "name"}
    assert found <= allowed


@pytest.mark.parametrize(
    ("name", "value", "replaced"),
    [
        pytest.param(name, value, replaced, id=f"{owner.__name__}.{name}")
        for owner, name, value, replaced in overrides()
    ],
)
def test_an_override_has_the_form_of_what_it_replaces(name: str, value: Any, replaced: Any) -> None:
    if isinstance(replaced, property):
        assert not callable(value)
        return
    assert isinstance(value, classmethod) == isinstance(replaced, classmethod)
    function, original = _function(value), _function(replaced)
    if original is None:
        assert function is None
        assert type(value) is type(replaced)
        return
    assert function is not None
    if name == "__init__":  # constructors may take less or hand everything on
        return
    mine, theirs = inspect.signature(function), inspect.signature(original)
    assert [(p.name, p.kind) for p in mine.parameters.values()] == [
        (p.name, p.kind) for p in theirs.parameters.values()
    ]
    defaults = {p.name: p.default for p in theirs.parameters.values()}
    assert {p.name: p.default for p in mine.parameters.values()} == defaults


def _function(member: Any) -> Callable[..., Any] | None:
    member = getattr(member, "__func__", member)
    return member if inspect.isfunction(member) else None


# No misspelt flag


@pytest.mark.parametrize("stream", [*STREAMS, CustomObjectStream], ids=lambda s: s.__name__)
def test_every_attribute_of_a_stream_is_one_that_somebody_reads(
    stream: type[VitallyStream],
) -> None:
    declared = {name for base in BASES for name in (*base.__annotations__, *vars(base))}
    declared.update(Resource.__annotations__)
    for parent in stream.__mro__:
        if parent in BASES or not parent.__module__.startswith("tap_vitally"):
            continue
        for name, value in members(parent).items():
            if name.startswith("_") or inspect.isfunction(value):
                continue
            known = name in declared or hasattr(Stream, name)
            assert known, f"{parent.__name__}.{name} is read by nobody"


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.__name__)
def test_every_public_method_of_a_stream_is_one_that_somebody_calls(
    stream: type[VitallyStream],
) -> None:
    called = {name for base in (*BASES, Stream) for name in dir(base)}
    called.update(Resource.__annotations__)
    methods = {name for name, value in members(stream).items() if inspect.isfunction(value)}
    assert {name for name in methods if not name.startswith("_")} <= called


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.__name__)
def test_the_keys_of_a_stream_are_properties_of_its_schema(stream: type[VitallyStream]) -> None:
    properties = stream.schema["properties"]
    assert set(stream.primary_keys) <= properties.keys()
    assert stream.replication_key is None or stream.replication_key in properties


def test_flags_of_the_sdk_are_where_it_reads_them() -> None:
    assert Stream.STATE_MSG_FREQUENCY < VitallyStream.STATE_MSG_FREQUENCY
    assert TypeConformanceLevel.RECURSIVE is Stream.TYPE_CONFORMANCE_LEVEL
    assert TypeConformanceLevel.NONE is VitallyStream.TYPE_CONFORMANCE_LEVEL
    assert Stream.ABORT_AT_RECORD_COUNT is None
    assert Stream.selected_by_default is True
    for loop in (Stream._sync_records, Stream._generate_record_messages):
        read = inspect.getsource(loop)
        assert "self.STATE_MSG_FREQUENCY" in read or "self.TYPE_CONFORMANCE_LEVEL" in read


# State is the tap's own


@pytest.mark.parametrize("pages", [False, True])
def test_the_bookmark_of_the_sdk_never_shows(
    pages: bool, start_sandbox: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def counted(stream: VitallyStream, latest_record: Any, *, context: Any = None) -> None:
        assert context is None
        assert latest_record["id"]
        asked.append(stream.name)

    monkeypatch.setattr(VitallyStream, "_increment_stream_state", counted)
    if not pages:
        monkeypatch.setattr(VitallyStream, "_writes_pages", False)
    sandbox = start_sandbox(accounts=5)
    messages = run_in_process(config_for(sandbox.url), select=["accounts", "users", "admins"])
    written = [message["stream"] for message in messages if message["type"] == "RECORD"]
    assert asked == ([] if pages else written)
    assert set(written) == {"accounts", "users", "admins"}
    last = [message["value"] for message in messages if message["type"] == "STATE"][-1]
    assert last["bookmarks"].keys() <= {"accounts", "users", "admins"}
    for name in ("accounts", "users"):
        assert last["bookmarks"][name].keys() <= {
            "replication_key",
            "replication_key_value",
            "contexts",
            "host",
            "workspace",
            "wholeReadAt",
            "resume",
        }
        assert "replication_key_value" in last["bookmarks"][name]
    assert not last["bookmarks"].get("admins")


def tap_of(writer: MessageWriter | None = None, **settings: Any) -> TapVitally:
    return TapVitally(
        config=config_for("http://localhost", **settings),
        catalog=None,
        message_writer=writer,
    )


def test_state_is_one_tree_that_the_streams_share_with_the_tap() -> None:
    tap = tap_of()
    stream = tap.streams["accounts"]
    assert isinstance(stream.state_manager, StreamStateManager)
    assert stream.state_manager is stream.state_manager
    assert stream.state_manager.stream_name == "accounts"
    stream.stream_state["mark"] = 1
    assert tap.state == {"bookmarks": {"accounts": {"mark": 1}}}
    assert stream.tap_state is tap.state
    tap.state["bookmarks"]["accounts"] = {"other": 2}
    assert stream.stream_state == {"other": 2}


def test_state_is_written_where_it_was_marked_as_changed() -> None:
    collector = Collector()
    tap = tap_of(collector)
    stream = tap.streams["accounts"]
    stream._write_state_message()
    assert collector.messages == []
    stream.state_manager.is_flushed = False
    stream._write_state_message()
    stream._write_state_message()
    tap.state_writer.write_state({"bookmarks": {"accounts": {"mark": 1}}})
    assert [message["type"] for message in collector.messages] == ["STATE", "STATE"]
    assert collector.messages[1]["value"] == {"bookmarks": {"accounts": {"mark": 1}}}


def test_the_place_in_state_can_have_another_name_than_the_stream() -> None:
    tap = tap_of()
    stream = CustomObjectStream(tap, "custom_object_ships", customObjectId="0-1")
    stream.stream_state["mark"] = 1
    assert tap.state == {"bookmarks": {"custom_object_0-1": {"mark": 1}}}


def test_streams_are_read_after_those_that_tell_them_what_to_read_and_the_summary_is_the_last() -> (
    None
):
    names = list(tap_of().streams)
    below = [stream.name for stream in STREAMS if stream.resource.of]
    assert names[-1] == "vitally_sync_runs"
    assert names[-1 - len(below) : -1] == sorted(below)
    assert names[: -1 - len(below)] == sorted(names[: -1 - len(below)])
    assert names.index("inventory") < names.index("inventory_runs")


def test_no_stream_is_a_child_in_the_sense_of_the_sdk() -> None:
    for stream in tap_of().streams.values():
        assert stream.parent_stream_type is None
        assert not stream.has_selected_descendents
        assert stream.partitions is None


# Records pass through the SDK unharmed


def test_a_record_is_written_as_it_is() -> None:
    record = {
        "id": "1",
        "mrr": Decimal("0.10"),
        "usersCount": 12345678901234567890,
        "createdAt": "2024-05-06T07:08:09.123Z",
        "traits": {"a.b": Decimal("1.50"), "c": None, "d": [{"e": 0}]},
        "brandNew": {"kept": [1]},
    }
    stream = tap_of().streams["accounts"]
    (message,) = stream._generate_record_messages(dict(record))
    assert isinstance(message, RecordMessage)
    assert message.record == record
    line = bytes(MessageWriter().format_message(message))
    assert b'"mrr":0.10,' in line
    assert b'"usersCount":12345678901234567890,' in line
    assert b'"a.b":1.50,' in line


def test_what_is_deselected_is_left_out() -> None:
    tap = tap_of()
    stream = tap.streams["accounts"]
    stream.metadata["properties", "traits"].selected = False
    (message,) = stream._generate_record_messages({"id": "1", "traits": {}, "name": "x"})
    assert isinstance(message, RecordMessage)
    assert message.record == {"id": "1", "name": "x"}


def test_a_message_is_formatted_as_one_line() -> None:
    message = StateMessage({"bookmarks": {}})
    assert message.type is SingerMessageType.STATE
    line = bytes(MessageWriter().format_message(message))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1


# The command line


def test_the_sdk_lets_the_tap_end_itself() -> None:
    tap = tap_of()
    for number in (signal.SIGTERM, signal.SIGINT):
        assert signal.getsignal(number) == tap._handle_termination


def test_the_command_line_calls_what_the_tap_replaces() -> None:
    command = TapVitally.get_singer_command()
    given = {parameter.name for parameter in command.params if parameter.expose_value}
    taken = set(inspect.signature(TapVitally.invoke).parameters)
    assert given == taken
    assert taken == set(inspect.signature(Tap.invoke).parameters)
    assert command.callback is not None
    assert inspect.unwrap(command.callback).__name__ == TapVitally.invoke.__name__
    callbacks = {parameter.name: parameter.callback for parameter in command.params}
    assert callbacks["test"] == TapVitally.cb_test
    (test,) = (parameter for parameter in command.params if parameter.name == "test")
    assert isinstance(test, click.Option)
    assert test.flag_value == CliTestOptionValue.All.value
    assert test.default == CliTestOptionValue.Disabled.value


def test_the_configuration_comes_in_the_form_the_tap_expects() -> None:
    given = _ConfigInput()
    assert given.config == {}
    assert given.parse_env is False


def test_what_the_tap_overrides_of_a_property_is_read_as_one() -> None:
    stream = tap_of().streams["accounts"]
    assert stream.primary_keys == ("id",)
    assert stream.replication_key == "updatedAt"
    assert stream.replication_method == "INCREMENTAL"
    assert tap_of().streams["admins"].replication_method == "FULL_TABLE"


def test_a_misspelt_attribute_of_a_declaration_is_an_error_at_once() -> None:
    with pytest.raises(TypeError, match="Misspelt declares replikation_key, which no stream has"):
        type("Misspelt", (VitallyStream,), {"schema": {}, "replikation_key": None})
