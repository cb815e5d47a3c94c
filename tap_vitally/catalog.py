"""Read a catalog; refuse entries that no tool of the SDK writes, instead of guessing.

A mask that is written down and hits nothing would let through what somebody wanted kept back.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from singer_command.files import parsed, text_of
from vitally_api import VitallyError, safe_name

logger = logging.getLogger("tap-vitally")

Entry = dict[str, Any]

TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}


def read_catalog(file: IO[str] | None) -> dict[str, Any] | None:
    """Return the catalog in a file, None without a file; raise a `VitallyError` if it is not valid."""
    if file is None:
        return None
    try:
        catalog = parsed(text_of(file))
    except ValueError:
        catalog = None
    if not isinstance(catalog, dict):
        raise VitallyError(
            "The catalog file is not a JSON object: check the path given with --catalog. Another run "
            "of this extractor may be writing it."
        )
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise VitallyError(
            "The catalog file holds no catalog: make one with --discover, and check --catalog."
        )
    for name, count in Counter(entry["tap_stream_id"] for entry in entries).items():
        if count > 1:
            raise VitallyError(
                f"The catalog has {count} entries for {safe_name(name)!r}: leave one."
            )
    for entry in entries:
        if problem := next(_problems(entry), None):
            name = safe_name(entry["tap_stream_id"])
            raise VitallyError(
                f"The catalog's entry for {name} {problem}: make a new one with --discover."
            )
        _settle(entry)
    return catalog


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema"), dict)
    )


def _problems(entry: Entry) -> Iterator[str]:
    properties = entry["schema"].setdefault("properties", {})
    if not isinstance(properties, dict):
        yield "has properties that are no object"
        return
    for column, how in properties.items():
        if not _is_schema(how):
            yield f"gives {safe_name(column)} a type that JSON schemas do not have"
    if entry.get("stream", entry["tap_stream_id"]) != entry["tap_stream_id"]:
        yield "gives another name under stream, which __alias__ in stream_maps does"
    yield from _metadata_problems(entry)


def _metadata_problems(entry: Entry) -> Iterator[str]:
    items = entry.get("metadata") or []
    if not isinstance(items, list) or not all(map(_is_item, items)):
        yield "has metadata whose breadcrumb leads nowhere"
        return
    # Meltano 4.4.1 writes a flag beside the metadata, too, which says the same.
    properties = entry["schema"]["properties"].items()
    beside: dict[tuple[str, ...], Any]
    beside = {(): entry.get("selected", entry["schema"].get("selected"))}
    beside |= {("properties", name): how.get("selected") for name, how in properties}
    root: Entry = {}
    for item in items:
        path, metadata = tuple(item["breadcrumb"]), item["metadata"]
        root = root or ({} if path else metadata)
        if (flag := metadata.get("selected")) is None:
            continue
        beside.pop(path, None)
        if _word(flag) not in {"true", "false"}:
            column = ".".join(map(safe_name, path[1::2])) or "the stream"
            yield f"says neither true nor false of {column}, where it says selected"
    if any(flag is not None for flag in beside.values()):
        yield "says what is selected beside its metadata, and not in it"
    for keys in (entry.get("key_properties"), root.get("table-key-properties")):
        if keys is not None and not _are_names(keys):
            yield "names a key that is no list of properties"


def _word(flag: Any) -> str:
    """Return a flag as lower-case text; a runner may have it as text from the environment."""
    return str(flag).strip().lower()


def _is_item(item: Any) -> bool:
    path = item.get("breadcrumb") if isinstance(item, dict) else None
    leads = isinstance(path, list) and _are_names(path) and len(path) != 1
    return leads and isinstance(item.get("metadata"), dict)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_schema(how: Any) -> bool:
    if not isinstance(how, dict) or not TYPES.issuperset(map(str, _listed(how.get("type", [])))):
        return False
    inner = how.get("properties", {})
    choices = [
        choice for name in ("anyOf", "oneOf", "allOf") for choice in _listed(how.get(name, []))
    ]
    within = [*choices, *inner.values()] if isinstance(inner, dict) else [None]
    return all(map(_is_schema, [*within, how["items"]] if "items" in how else within))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _settle(entry: Entry) -> None:
    """Read what the SDK does not."""
    entry["stream"] = entry["tap_stream_id"]
    items = entry["metadata"] = entry.get("metadata") or []
    for item in items:
        if (flag := item["metadata"].get("selected")) is not None:
            item["metadata"]["selected"] = _word(flag) == "true"
    root: Entry | None = next((i["metadata"] for i in items if not i["breadcrumb"]), None)
    if root is None:
        # Without an entry for the whole stream, the SDK would leave out each of its properties.
        root = {"selected": True}
        items.append({"breadcrumb": [], "metadata": root})
        logger.warning(
            "The catalog does not say whether %s is wanted, so it is read.",
            safe_name(entry["tap_stream_id"]),
        )
    if method := root.get("forced-replication-method") or root.get("replication-method"):
        # Discovery writes one beside the metadata, which would hide it.
        entry["replication_method"] = method
    for holder, key in ((entry, "replication_key"), (root, "replication-key")):
        if holder.get(key) is not None:
            holder[key] = str(holder[key])
