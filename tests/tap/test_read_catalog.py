"""What a catalog says is read as it is meant; what it says in vain is told, or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.support import Row, catalog, config_for
from tap_vitally.catalog import read_catalog
from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.tap import TapVitally
from vitally_api import VitallyError

EMAIL = ["properties", "email"]


def users_of(change: Callable[[Row], object]) -> tuple[VitallyStream, Row]:
    """The stream users under a catalog with a change, and the entry that it goes by."""
    found = catalog(["users"])
    entry = next(entry for entry in found["streams"] if entry["stream"] == "users")
    change(entry)
    read = read_catalog(io.StringIO(json.dumps({"streams": [entry]})))
    tap = TapVitally(config=config_for("http://127.0.0.1:9"), catalog=read)
    stream = tap.streams["users"]
    assert isinstance(stream, VitallyStream)
    return stream, entry


def metadata_of(entry: Row, breadcrumb: list[str]) -> Row:
    items: list[Row] = entry["metadata"]
    found = next(item["metadata"] for item in items if item["breadcrumb"] == breadcrumb)
    assert isinstance(found, dict)
    return found


def is_selected(stream: VitallyStream, *breadcrumb: str) -> bool:
    return stream.mask[breadcrumb]


@pytest.mark.parametrize(
    ("breadcrumb", "named"), [(["properties", "Email"], "Email"), (["items", "email"], "email")]
)
def test_a_mask_that_hits_nothing_is_named(breadcrumb: list[str], named: str) -> None:
    item = {"breadcrumb": breadcrumb, "metadata": {"selected": False}}
    stream, _ = users_of(lambda entry: entry["metadata"].append(item))
    assert isinstance(stream._tap, TapVitally)
    line = f"The catalog leaves out 'users.{named}', which is no property."
    assert line in stream._tap.unmatched_selections()


@pytest.mark.parametrize(
    "item",
    [
        {"breadcrumb": "properties.email", "metadata": {}},
        {"breadcrumb": ["email"], "metadata": {"selected": False}},
        {"breadcrumb": [["properties"], "email"], "metadata": {}},
        {"breadcrumb": ["properties", "email"], "metadata": None},
        {"metadata": {"selected": False}},
        5,
    ],
)
def test_metadata_that_leads_nowhere_is_refused(item: Any) -> None:
    with pytest.raises(VitallyError, match=r"entry for users has metadata .* leads nowhere"):
        users_of(lambda entry: entry["metadata"].append(item))


@pytest.mark.parametrize("metadata", [None, [], {}])
def test_without_metadata_a_stream_is_read_whole(
    metadata: Any, caplog: pytest.LogCaptureFixture
) -> None:
    stream, _ = users_of(lambda entry: entry.update(metadata=metadata))
    assert stream.selected
    assert is_selected(stream, "properties", "email")
    assert "does not say whether users is wanted, so it is read" in caplog.text


def test_without_metadata_for_the_whole_its_properties_stay() -> None:
    stream, _ = users_of(lambda entry: entry["metadata"].pop())
    assert is_selected(stream, *EMAIL)
    assert is_selected(stream, "properties", "id")


@pytest.mark.parametrize("word", ["", "off", "nein", [], {}, 7, 0])
def test_a_selection_that_is_neither_true_nor_false_is_refused(word: Any) -> None:
    with pytest.raises(VitallyError, match=r"entry for users says neither .* of email"):
        users_of(lambda entry: metadata_of(entry, EMAIL).update(selected=word))


@pytest.mark.parametrize(("text", "read"), [("false", False), ("False ", False), ("true", True)])
def test_a_selection_written_as_text_means_what_it_says(text: str, *, read: bool) -> None:
    stream, _ = users_of(lambda entry: metadata_of(entry, EMAIL).update(selected=text))
    assert is_selected(stream, *EMAIL) is read


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(selected=True, metadata=[]),
        lambda entry: entry["schema"].update(selected=False) or entry.update(metadata=[]),
        lambda entry: (
            entry["schema"]["properties"]["email"].update(selected=False)
            or entry.update(metadata=[])
        ),
    ],
    ids=["entry", "schema", "property"],
)
def test_a_selection_beside_the_metadata_is_refused(change: Callable[[Row], object]) -> None:
    with pytest.raises(VitallyError, match="beside its metadata"):
        users_of(change)


def test_a_selection_beside_the_metadata_that_it_repeats_is_no_harm() -> None:
    """Meltano writes both."""

    def change(entry: Row) -> None:
        entry.update(selected=True)
        metadata_of(entry, []).update(selected=True)
        entry["schema"]["properties"]["email"].update(selected=False)
        metadata_of(entry, EMAIL).update(selected=False)

    stream, _ = users_of(change)
    assert stream.selected
    assert not is_selected(stream, *EMAIL)


def test_another_name_under_stream_is_refused() -> None:
    with pytest.raises(VitallyError, match="__alias__"):
        users_of(lambda entry: entry.update(stream="people"))


@pytest.mark.parametrize("place", ["metadata", "entry"])
@pytest.mark.parametrize("keys", ["id", {}, [5], ["id", None]])
def test_a_key_that_is_no_list_of_properties_is_refused(keys: Any, place: str) -> None:
    def change(entry: Row) -> None:
        if place == "entry":
            entry["key_properties"] = keys
        else:
            metadata_of(entry, [])["table-key-properties"] = keys

    with pytest.raises(VitallyError, match="names a key that is no list"):
        users_of(change)


@pytest.mark.parametrize("name", ["replication-method", "forced-replication-method"])
def test_a_method_in_metadata_comes_before_what_discovery_wrote(name: str) -> None:
    stream, entry = users_of(lambda entry: metadata_of(entry, []).update({name: "FULL_TABLE"}))
    assert entry["replication_method"] == "INCREMENTAL"
    assert stream.replication_method == "FULL_TABLE"


@pytest.mark.parametrize("value", [True, None, {"type": "text"}, {"type": 5}])
def test_a_type_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(VitallyError, match=r"entry for users gives email"):
        users_of(lambda entry: entry["schema"]["properties"].update(email=value))


def test_two_entries_for_a_stream_are_refused() -> None:
    found = catalog(["users"])
    found["streams"] *= 2
    with pytest.raises(VitallyError, match="2 entries for"):
        read_catalog(io.StringIO(json.dumps(found)))


def test_only_the_key_is_required_and_it_cannot_be_left_out() -> None:
    def change(entry: Row) -> None:
        entry["schema"].update(required=["id", "name", "gone"])
        entry["schema"]["properties"]["name"]["type"] = "string"
        metadata_of(entry, ["properties", "id"]).update(selected=False, inclusion="available")

    stream, _ = users_of(change)
    assert stream.schema_in_use["required"] == ["id"]
    assert stream.schema_in_use["properties"]["name"]["type"] == ["string", "null"]
    assert is_selected(stream, "properties", "id")


@pytest.mark.parametrize(
    ("keys", "used", "reported"),
    [
        (["email"], ("email",), "lacks its own"),
        (["id", "email"], ("id", "email"), ""),
        (["gone"], ("id",), "is no column"),
        ([], ("id",), ""),
        (None, ("id",), ""),
    ],
)
@pytest.mark.parametrize("stream_state", ["metadata", "entry"])
def test_a_key_that_a_catalog_names(
    keys: Any,
    used: tuple[str, ...],
    reported: str,
    stream_state: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def change(entry: Row) -> None:
        if stream_state == "entry":
            entry["key_properties"] = keys
        else:
            metadata_of(entry, [])["table-key-properties"] = keys

    stream, _ = users_of(change)
    assert stream.primary_keys == used
    assert stream.reader.stream.resource.primary_keys == used
    assert reported in caplog.text
    assert bool(reported) == ("names a key" in caplog.text)


@pytest.mark.parametrize("key", [["createdAt"], {}, 5, "createdAt"])
def test_a_replication_key_of_its_own_is_told(key: Any, caplog: pytest.LogCaptureFixture) -> None:
    stream, _ = users_of(lambda entry: entry.update(replication_key=key))
    assert stream.replication_key == "updatedAt"
    assert "names another replication key" in caplog.text
