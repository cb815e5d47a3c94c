"""The streams that an operator declares, as values: every mistake at once, before the first request."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError
from singer_sdk.helpers.jsonpath import extract_jsonpath

from tap_vitally.custom.setting import mistakes_in
from tap_vitally.custom.templates import BOOKMARK, Placeholder, Template

Order = Literal["newest_first", "unknown"]
FORMATS = ("iso", "epoch", "epoch_ms")
MAPS = ("params", "metadata", "headers", "values")
"""Keys whose own keys the operator chooses."""
DOTS = {".", ".."}
"""Segments that an HTTP client resolves, so that another address would be asked."""


@dataclass(frozen=True)
class Cursor:
    """Where an answer says which page follows, and the parameter that asks for it."""

    response: str = "$.next"
    param: str = "from"


@dataclass(frozen=True)
class CustomStream:
    """A stream as its operator declares it.

    ``schema`` is None where it is to be inferred, ``cursor`` None for a list of one page.
    """

    name: str
    path: Template
    params: Mapping[str, Template] = field(default_factory=dict)
    date_format: str = "iso"
    records_path: str = "$.results[*]"
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    primary_keys: tuple[str, ...] = ("id",)
    replication_key: str | None = None
    order: Order = "unknown"
    cursor: Cursor | None = field(default_factory=Cursor)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None

    @property
    def templates(self) -> dict[str, Template]:
        """Return the path and the parameters, by their keys in the setting."""
        return {"path": self.path, **{f"params.{name}": t for name, t in self.params.items()}}

    @property
    def placeholders(self) -> list[Placeholder]:
        """Return what stands in braces anywhere, each once, in its order."""
        found = (each for t in self.templates.values() for each in t.placeholders)
        return list(dict.fromkeys(found))

    @property
    def parent(self) -> str:
        """Return the stream that this one is below; empty for a list of the workspace."""
        return next((each.stream for each in self.placeholders if each.stream), "")

    @property
    def parent_columns(self) -> frozenset[str]:
        """Return what has to be known of each parent."""
        return frozenset(each.name for each in self.placeholders if each.stream)

    @property
    def injected(self) -> dict[Placeholder, str]:
        """Return the columns that receive the values of parents and lists, which belong to the key."""
        return {
            each: parent_column(each.stream, each.name) if each.stream else each.name
            for each in self.placeholders
            if not each.is_moment
        }


@dataclass(frozen=True)
class KnownStream:
    """What the check has to know of a stream that another may be below; no ``columns``: any."""

    columns: frozenset[str] = frozenset()
    is_child: bool = False


def parent_column(stream: str, column: str) -> str:
    """Name the column of a parent's value as nested streams do: ``accounts.id`` is ``parentAccountId``."""
    words = stream.removesuffix("s").split("_")
    camel = "".join(word[:1].upper() + word[1:] for word in words)
    return f"parent{camel}{column[:1].upper()}{column[1:]}"


def read_custom_streams(
    setting: Any, known: Mapping[str, KnownStream]
) -> tuple[list[CustomStream], list[str]]:
    """Return the streams that the setting declares, and a line for each mistake in it.

    ``known`` are the tap's own streams. A line names the entry and the key, and no value.
    """
    if setting is None:
        return [], []
    if not isinstance(setting, list):
        return [], ["custom_streams: it takes a list of streams"]
    problems: list[str] = []
    entries: list[tuple[str, CustomStream, set[str]]] = []
    for position, entry in enumerate(setting):
        name = entry.get("name") if isinstance(entry, dict) else None
        where = f"custom_streams[{position}]" + (f" ({name[:60]})" if isinstance(name, str) else "")
        of_form = list(dict.fromkeys(mistakes_in(entry)))
        problems += [f"{where}{f'.{key}' if key else ''}: {message}" for key, message in of_form]
        if isinstance(entry, dict):
            wrong = {key for key, _ in of_form}
            stream, mistakes = _read(_without(entry, wrong))
            entries.append((where, stream, wrong))
            problems += [f"{where}.{each}" for each in mistakes if not _is_about(wrong, each)]
    streams = [stream for _, stream, _ in entries]
    declared = {s.name: KnownStream(_columns(s.schema), bool(s.parent)) for s in streams}
    before = set(known)
    for where, stream, wrong in entries:
        if stream.name in before:
            problems.append(f"{where}.name: there is another stream of this name")
        before.add(stream.name or where)
        found = _misplaced(stream, {**declared, **known})
        problems += [f"{where}.{each}" for each in found if not _is_about(wrong, each)]
    return streams, problems


def _is_about(wrong: set[str], mistake: str) -> bool:
    """Return True if a mistake is about a key whose form is wrong, or may follow from that."""
    key, _, message = mistake.partition(": ")
    words = {key, key.partition(".")[0]}
    of = {each.partition(".")[0] for each in wrong}
    return bool(words & wrong or of & set(re.findall(r"\w+", message)))


def _without(entry: Mapping[str, Any], wrong: set[str]) -> dict[str, Any]:
    """Return what of an entry has the right form, with a path and a name in any case."""
    kept: dict[str, Any] = {"name": "", "path": "/"}
    for key, value in entry.items():
        if key in MAPS and key not in wrong:
            named = (value or {}).items()
            kept[key] = {name: v for name, v in named if f"{key}.{name[:60]}" not in wrong}
        elif not any(each.partition(".")[0] == key for each in wrong):
            kept[key] = value
    return kept


def _columns(schema: Mapping[str, Any] | None) -> frozenset[str]:
    return frozenset((schema or {}).get("properties", ()))


def _read(entry: Mapping[str, Any]) -> tuple[CustomStream, list[str]]:
    """Read an entry whose form is right; return what is wrong with what it says, too."""
    problems: list[str] = []

    def template(key: str, value: Any) -> Template:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        try:
            return Template.parse(text)
        except ValueError as error:
            problems.append(f"{key}: {error}")
            return Template(())

    def values(key: str, given: Any) -> tuple[str, ...]:
        if isinstance(given, dict):
            try:
                given = _column_of(Path(given["file"]), given["column"])
            except ValueError as error:
                problems.append(f"{key}: {error}")
                return ()
        texts = tuple(dict.fromkeys(map(str, given)))
        if DOTS & set(texts):
            problems.append(f"{key}: . and .. cannot be part of an address")
        return texts

    given = entry.get("cursor")
    cursor = None if given is False else Cursor(**(given or {}))
    plain = {name: entry[name] for name in _PLAIN if entry.get(name) is not None}
    stream = CustomStream(
        **plain,
        path=template("path", entry["path"]),
        params={n: template(f"params.{n}", v) for n, v in (entry.get("params") or {}).items()},
        primary_keys=tuple(entry.get("primary_keys", ("id",))),
        cursor=cursor,
        values={n: values(f"values.{n}", v) for n, v in (entry.get("values") or {}).items()},
    )
    return stream, [*problems, *_contradictions(stream)]


_PLAIN = (
    "name", "date_format", "records_path", "metadata", "headers", "replication_key", "order", "schema",
)  # fmt: skip
"""Keys that are taken over as they are."""


def _contradictions(stream: CustomStream) -> list[str]:
    """Find what no form can say: wrong patterns and paths, and keys that do not go together."""
    segments = "".join(p if isinstance(p, str) else "x" for p in stream.path.parts).split("/")
    clash = sorted(set(stream.metadata) & set(stream.injected.values()))
    wrong = {
        "path: . and .. would lead out of /resources": DOTS & set(segments),
        "date_format: it takes iso, epoch, epoch_ms or a pattern such as %Y-%m-%d": not (
            stream.date_format in FORMATS or _is_date_pattern(stream.date_format)
        ),
        "cursor.param: params has it, too": stream.cursor and stream.cursor.param in stream.params,
        "order: newest_first takes a replication_key": (
            stream.order == "newest_first" and not stream.replication_key
        ),
        f"metadata.{clash[0] if clash else ''}: path, params or values make a column of this name": clash,
    }
    return [
        *(message for message, is_so in wrong.items() if is_so),
        *_wrong_paths(stream),
        *_wrong_schema(stream),
    ]


def _wrong_paths(stream: CustomStream) -> Iterator[str]:
    paths = {"records_path": stream.records_path}
    paths |= {f"metadata.{name}": path for name, path in stream.metadata.items()}
    if stream.cursor:
        paths["cursor.response"] = stream.cursor.response
    for key, path in paths.items():
        if not _is_json_path(path):
            yield f"{key}: it is no JSONPath, such as $.data[*]"


def _wrong_schema(stream: CustomStream) -> Iterator[str]:
    if stream.schema is None:
        return
    try:
        Draft7Validator.check_schema(stream.schema)
    except SchemaError:
        yield "schema: it is no JSON schema (Draft 7)"
        return
    columns = {*_columns(stream.schema), *stream.metadata, *stream.injected.values()}
    named = dict.fromkeys([*stream.primary_keys, *filter(None, [stream.replication_key])])
    for key in named:
        if key not in columns:
            yield f"schema: it has no property {key}, which primary_keys or replication_key names"


def _is_date_pattern(pattern: str) -> bool:
    try:
        written = datetime(2026, 1, 31, tzinfo=UTC).strftime(pattern)
    except ValueError:
        return False
    return "%" in pattern and bool(written) and "%" not in written


def _is_json_path(path: str) -> bool:
    try:
        list(extract_jsonpath(path, {}))
    except Exception:  # noqa: BLE001 - whatever the parsers below the SDK raise
        return False
    return True


def _column_of(file: Path, column: str) -> list[str]:
    """Return the values of a column of a CSV file; a `ValueError` says why there are none."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if column not in (rows.fieldnames or ()):
                msg = "the file has no column of this name in its first line"
                raise ValueError(msg)
            found = [text for row in rows if (text := (row[column] or "").strip())]
    except (OSError, UnicodeDecodeError, csv.Error):
        msg = "the file cannot be read as CSV in UTF-8"
        raise ValueError(msg) from None
    if not found:
        msg = "the column of the file holds no value"
        raise ValueError(msg)
    return found


def _misplaced(stream: CustomStream, known: Mapping[str, KnownStream]) -> Iterator[str]:
    """Say which placeholders stand for nothing."""
    for key, template in stream.templates.items():
        for each in template.placeholders:
            if message := _stands_for_nothing(stream, each, known):
                yield f"{key}: {message}"
    parents = dict.fromkeys(each.stream for each in stream.placeholders if each.stream)
    if len(parents) > 1:
        yield f"path: it names {' and '.join(parents)}, and can be below one of them alone"
    used = {each.name for each in stream.placeholders}
    for name in stream.values:
        if name not in used:
            yield f"values.{name}: nothing in path or params stands for it"


def _stands_for_nothing(
    stream: CustomStream, each: Placeholder, known: Mapping[str, KnownStream]
) -> str:
    if each.name == BOOKMARK and not each.stream and not stream.replication_key:
        return "{bookmark} takes a replication_key"
    if not each.stream:
        message = f"{{{each.name}}} is neither in values nor one of now, start_date, bookmark"
        return "" if each.is_moment or each.name in stream.values else message
    parent = known.get(each.stream)
    if parent is None or each.stream == stream.name:
        return f"{{{each.stream}.{each.name}}}: there is no stream {each.stream}"
    if parent.is_child:
        return f"{{{each.stream}.{each.name}}}: {each.stream} is itself below another stream"
    if parent.columns and each.name not in parent.columns:
        return f"{{{each.stream}.{each.name}}}: {each.stream} has no property {each.name}"
    return ""


def header_values(setting: Any) -> tuple[str, ...]:
    """Return the values of all headers in the setting, longest first; a wrong entry has none."""
    found = (entry.get("headers") for entry in setting or () if isinstance(entry, dict))
    values = {value for headers in found if isinstance(headers, dict) for value in headers.values()}
    return tuple(sorted(filter(None, map(str, values)), key=len, reverse=True))


def known_streams(streams: Sequence[Any]) -> dict[str, KnownStream]:
    """Return what the check has to know of stream classes, by name."""
    return {
        stream.name: KnownStream(frozenset(stream.schema["properties"]), stream.parent is not None)
        for stream in streams
    }
