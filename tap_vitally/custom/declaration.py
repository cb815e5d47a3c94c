"""Parse the setting ``custom_streams``; all mistakes are reported at once, before the first request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from tap_vitally.custom.setting import DOTS, Mistake, mistakes_in, text_of, values_of
from tap_vitally.custom.templates import BOOKMARK, Placeholder, Template

OBJECTS = ("params", "metadata", "headers", "values", "cursor")
"""Keys with an object, whose valid members are read even if another member is not valid."""

Columns = frozenset[str] | None
"""The columns of a stream that may be a parent, empty if unknown; None if it has a parent itself."""


@dataclass(frozen=True)
class Cursor:
    """The JSONPath of the next page's cursor in an answer, and the query parameter to send it in."""

    response: str = "$.next"
    param: str = "from"


@dataclass(frozen=True)
class CustomStream:
    """A declared stream; ``schema`` is None if it is to be inferred, ``cursor`` if there is one page only."""

    name: str
    path: Template
    params: Mapping[str, Template] = field(default_factory=dict)
    date_format: str = "iso"
    records_path: str = "$.results[*]"
    metadata: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    primary_keys: tuple[str, ...] = ("id",)
    replication_key: str | None = None
    order: Literal["newest_first", "unknown"] = "unknown"
    cursor: Cursor | None = field(default_factory=Cursor)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = None

    @property
    def templates(self) -> dict[str, Template]:
        """The templates of the path and the parameters, by their keys in the setting."""
        return {"path": self.path, **{f"params.{name}": t for name, t in self.params.items()}}

    @cached_property
    def placeholders(self) -> list[Placeholder]:
        """All placeholders of the path and the parameters, each once, in order."""
        found = (each for t in self.templates.values() for each in t.placeholders)
        return list(dict.fromkeys(found))

    @property
    def parent(self) -> str:
        """The name of the parent stream; empty if there is none."""
        return next((each.stream for each in self.placeholders if each.stream), "")

    @property
    def parent_columns(self) -> frozenset[str]:
        """The columns of the parent stream that placeholders use."""
        return frozenset(each.name for each in self.placeholders if each.stream)

    @cached_property
    def injected(self) -> dict[Placeholder, str]:
        """The columns that receive the values of placeholders, except times; they are part of the key."""
        return {
            each: parent_column(each.stream, each.name) if each.stream else each.name
            for each in self.placeholders
            if not each.is_moment
        }

    @property
    def columns(self) -> frozenset[str]:
        """The columns of the declared schema; empty if there is none."""
        return frozenset((self.schema or {}).get("properties", ()))


def parent_column(stream: str, column: str) -> str:
    """Return the column for a parent's value: ``parentAccountId`` for ``accounts.id``."""
    words = stream.removesuffix("s").split("_")
    camel = "".join(word[:1].upper() + word[1:] for word in words)
    return f"parent{camel}{column[:1].upper()}{column[1:]}"


def read_custom_streams(
    setting: Any, known: Mapping[str, Columns]
) -> tuple[list[CustomStream], list[str]]:
    """Return the streams of the setting, and a line for each mistake, with entry and key but no value."""
    if not isinstance(setting, list | None):
        return [], ["custom_streams: it takes a list of streams"]
    entries = setting or []
    mistakes = [dict.fromkeys(mistakes_in(entry)) for entry in entries]
    streams = [_read(*both) for both in zip(entries, mistakes, strict=True)]
    declared = {s.name: None if s.parent else s.columns for s in streams}
    taken = set(known)
    problems = []
    for number, (stream, of_form) in enumerate(zip(streams, mistakes, strict=True)):
        found = [(".".join(path), message) for path, message in of_form]
        wrong = {key for key, _ in found}
        more = _contradictions(stream, {**declared, **known}, taken)
        found += [each for each in more if not _follows(wrong, *each)]
        taken.add(stream.name or str(number))
        name = entries[number].get("name") if isinstance(entries[number], dict) else None
        where = f"custom_streams[{number}]" + (f" ({name[:60]})" if isinstance(name, str) else "")
        problems += [f"{where}{f'.{key}' if key else ''}: {message}" for key, message in found]
    return streams, problems


def _follows(wrong: set[str], key: str, message: str) -> bool:
    """Return True if a mistake may only follow from a key that is reported already."""
    # `{region} is neither in values ...` says nothing while `values` is wrong itself, and so do all
    # messages that name a key which was left out.
    tops = {each.partition(".")[0] for each in wrong}
    about = {key, key.partition(".")[0]} & wrong
    return bool(about or tops & set(re.findall(r"\w+", message)))


def _read(entry: Any, mistakes: Iterable[Mistake]) -> CustomStream:
    """Read the valid keys of an entry; name and path have defaults if they are not valid."""
    # Of an object only the wrong member goes: `params.since` does not take `params.limit` with it.
    wrong = {path[:2] if path and path[0] in OBJECTS else path[:1] for path, _ in mistakes}
    given: dict[str, Any] = {}
    for key, value in entry.items() if isinstance(entry, dict) else ():
        if key in OBJECTS and isinstance(value, dict) and (key,) not in wrong:
            given[key] = {n: each for n, each in value.items() if (key, n[:60]) not in wrong}
        elif value is not None and (key,) not in wrong:
            given[key] = value
    cursor = given.get("cursor", {})
    return CustomStream(
        **{
            **given,
            "name": given.get("name", ""),
            "path": Template(given.get("path", "/")),
            "params": {n: Template(text_of(v)) for n, v in given.get("params", {}).items()},
            "primary_keys": tuple(given.get("primary_keys", ["id"])),
            "cursor": None if cursor is False else Cursor(**cursor),
            "values": {name: values_of(v) for name, v in given.get("values", {}).items()},
        }
    )


def _contradictions(
    stream: CustomStream, known: Mapping[str, Columns], taken: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield (key, message) for keys that contradict each other, or other streams."""
    if stream.name in taken:
        yield "name", "there is another stream of this name"
    yield from _misplaced(stream, known)
    any_path = stream.path.render(dict.fromkeys(stream.placeholders, "x")) or ""
    if DOTS & set(any_path.split("/")):
        yield "path", ". and .. would lead out of /resources"
    if stream.cursor and stream.cursor.param in stream.params:
        yield "cursor.param", "params has it, too"
    if stream.order == "newest_first" and not stream.replication_key:
        yield "order", "newest_first takes a replication_key"
    for name in sorted(stream.metadata.keys() & set(stream.injected.values())):
        yield f"metadata.{name}", "a placeholder makes a column of this name"
    columns = {*stream.columns, *stream.metadata, *stream.injected.values()}
    named = dict.fromkeys([*stream.primary_keys, stream.replication_key]) if stream.schema else ()
    for key in named:
        if key and key not in columns:
            message = f"it has no property {key}, which primary_keys or replication_key names"
            yield "schema", message


def _misplaced(stream: CustomStream, known: Mapping[str, Columns]) -> Iterator[tuple[str, str]]:
    for key, template in stream.templates.items():
        for each in template.placeholders:
            if message := _stands_for_nothing(stream, each, known):
                yield key, message
    parents = dict.fromkeys(each.stream for each in stream.placeholders if each.stream)
    if len(parents) > 1:
        yield "path", f"it names {' and '.join(parents)}, and can be below one of them alone"
    for name in sorted(stream.values.keys() - {each.name for each in stream.placeholders}):
        yield f"values.{name}", "nothing in path or params stands for it"


def _stands_for_nothing(
    stream: CustomStream, each: Placeholder, known: Mapping[str, Columns]
) -> str:
    if not each.stream:
        if each.name == BOOKMARK and not stream.replication_key:
            return "{bookmark} takes a replication_key"
        message = f"{each} is neither in values nor one of now, start_date, bookmark"
        return "" if each.is_moment or each.name in stream.values else message
    if each.stream not in known or each.stream == stream.name:
        return f"{each}: there is no stream {each.stream}"
    columns = known[each.stream]
    if columns is None:
        return f"{each}: {each.stream} is itself below another stream"
    if columns and each.name not in columns:
        return f"{each}: {each.stream} has no property {each.name}"
    return ""


def header_values(setting: Any) -> tuple[str, ...]:
    """Return the values of all headers in the setting, longest first; skip entries that are not valid."""
    found = (entry.get("headers") for entry in setting or () if isinstance(entry, dict))
    values = {value for headers in found if isinstance(headers, dict) for value in headers.values()}
    return tuple(sorted(filter(None, map(str, values)), key=len, reverse=True))
