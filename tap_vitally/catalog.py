"""What a catalog says, read as it is meant; what it says in vain is told, or refused.

A mask that is written down and hits nothing would let through what somebody wanted kept back.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from typing import IO, Any

from singer_command.files import parsed, text_of
from vitally_api import VitallyError, safe_name

logger = logging.getLogger("tap-vitally")

Entry = dict[str, Any]
Metadata = dict[tuple[str, ...], Entry]
Told = dict[str, dict[str, None]]
"""What is said once, and of which streams or properties."""

TYPES = {"string", "number", "integer", "boolean", "object", "array", "null"}
SELECTED = {
    **dict.fromkeys(("true", "1", "yes", "on", "y", "t"), True),
    **dict.fromkeys(("false", "0", "no", "off", "n", "f"), False),
}
MOST_NAMED = 10
NO_CATALOG = "The catalog file holds no catalog: make one with --discover, and check --catalog."


def read_catalog(file: IO[str] | None) -> dict[str, Any] | None:
    """Read a catalog; raise a `VitallyError` for what is none."""
    if file is None:
        return None
    try:
        catalog = parsed(text_of(file))
    except ValueError:
        catalog = None
    if not isinstance(catalog, dict):
        msg = (
            "The catalog file is not a JSON object: check the path given with --catalog. Another run "
            "of this extractor may be writing it."
        )
        raise VitallyError(msg)
    entries = catalog.get("streams")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise VitallyError(NO_CATALOG)
    counts = Counter(entry["tap_stream_id"] for entry in entries)
    for name, count in counts.items():
        if count > 1:
            msg = f"The catalog has {count} entries for {safe_name(name)!r}: leave one."
            raise VitallyError(msg)
    reported: Told = defaultdict(dict)
    for entry in entries:
        _check_schema(entry)
        _settle(entry, reported)
    for what, names in reported.items():
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        logger.warning("The catalog %s: %s%s.", what, ", ".join([*names][:MOST_NAMED]), more)
    return catalog


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema"), dict)
    )


def _check_schema(entry: Entry) -> None:
    """Refuse a schema that no target could read either."""
    name = safe_name(entry["tap_stream_id"])
    properties = entry["schema"].setdefault("properties", {})
    if not isinstance(properties, dict):
        msg = f"The catalog's schema of {name} has properties that are no object."
        raise VitallyError(msg)
    for column, how in properties.items():
        if not _is_schema(how):
            msg = (
                f"The catalog gives {name}.{safe_name(column)} a type that JSON schemas do not "
                "have: make a new one with --discover."
            )
            raise VitallyError(msg)


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


def _settle(entry: Entry, reported: Told) -> None:
    """Read what the SDK does not: selection in other places and words, a method as Singer has it."""
    name = safe_name(entry["tap_stream_id"])
    if entry.get("stream", entry["tap_stream_id"]) != entry["tap_stream_id"]:
        reported[
            "gives another name under stream, which has no effect (stream_maps has __alias__)"
        ][name] = None
    entry["stream"] = entry["tap_stream_id"]
    kept = _metadata_of(entry, reported)
    _take_over_old_flags(entry, kept, reported)
    properties = entry["schema"]["properties"]
    for breadcrumb, values in kept.items():
        where = ".".join([name, *(safe_name(part) for part in breadcrumb[1::2])])
        values["selected"] = _read_selection(values.get("selected"), where)
        hits = not breadcrumb or (breadcrumb[0] == "properties" and breadcrumb[1] in properties)
        if values["selected"] is False and not hits:
            reported["leaves out what is no property"][where] = None
    if () not in kept:
        reported["does not say whether these are wanted, so they are read"][name] = None
    # Without an entry for the whole stream, the SDK would leave out each of its properties.
    root = kept.setdefault((), {"selected": True})
    method = root.get("forced-replication-method") or root.get("replication-method")
    if method:
        # Discovery writes one beside the metadata, which would hide it.
        entry["replication_method"] = method
    for holder, key in ((entry, "replication_key"), (root, "replication-key")):
        if holder.get(key) is not None:
            holder[key] = str(holder[key])
    for holder, key in ((entry, "key_properties"), (root, "table-key-properties")):
        names = holder.get(key)
        if names is not None:
            holder[key] = [str(name) for name in _listed(names)]
    entry["metadata"] = [
        {"breadcrumb": list(where), "metadata": values} for where, values in kept.items()
    ]


def _metadata_of(entry: Entry, reported: Told) -> Metadata:
    """Find the metadata of a stream by its breadcrumb, and name what leads nowhere."""
    found = entry.get("metadata")
    kept: Metadata = {}
    for item in found if isinstance(found, list) else [found] if found else []:
        path = item.get("breadcrumb") if isinstance(item, dict) else None
        names = tuple(
            part for part in (path if isinstance(path, list) else ()) if isinstance(part, str)
        )
        if not isinstance(path, list) or len(names) < len(path) or len(names) == 1:
            name = safe_name(entry["tap_stream_id"])
            reported["has metadata whose breadcrumb leads nowhere, so it has no effect"][name] = (
                None
            )
            continue
        values = item.get("metadata")
        kept[names] = dict(values) if isinstance(values, dict) else {}
    return kept


def _take_over_old_flags(entry: Entry, kept: Metadata, reported: Told) -> None:
    """Take over ``selected`` from where it was before there was metadata: beside the schema and in it."""
    schema = entry["schema"]
    flags: dict[tuple[str, ...], Any] = {(): entry.get("selected", schema.get("selected"))}
    for column, how in schema["properties"].items():
        flags["properties", column] = how.get("selected")
    for where, flag in flags.items():
        if flag is not None and kept.get(where, {}).get("selected") is None:
            kept.setdefault(where, {})["selected"] = flag
            name = safe_name(entry["tap_stream_id"])
            reported["selects in the place of old catalogs, which is taken over"][name] = None


def _read_selection(flag: Any, where: str) -> bool | None:
    if flag is None or isinstance(flag, bool):
        return flag
    word = str(flag).strip().lower()
    if word not in SELECTED:
        msg = f"The catalog says neither true nor false of {where}, where it says selected."
        raise VitallyError(msg)
    return SELECTED[word]
