"""Check for ``--test`` that the settings fit the workspace, and that rows of an input can be written."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from target_vitally.lookup.custom_fields import CustomFields, missing_fields
from target_vitally.lookup.references import References
from target_vitally.lookup.resolve import check_address
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping.entries import EVENTS, not_come, resource_named, trait_columns
from target_vitally.mapping.parse_row import ParsedRow, Rejection, parse_row
from target_vitally.mapping.resource import Fields, Record, Resource
from target_vitally.mapping.rows import InputRow, Origin
from target_vitally.mapping.stream_mapping import MappingError, StreamMapping, map_stream, no_key
from target_vitally.mapping.undo import UNDO
from target_vitally.pipeline.events import message_of_event, problem_of_event
from target_vitally.pipeline.outcomes import NO_STREAM, StreamOutcomes
from target_vitally.pipeline.settings import Settings
from vitally_api import Refused, SettingsError, VitallyError, safe_name

OBJECTS = "custom_objects"
SAMPLE = 1_000
"""Rows of each stream that are looked at."""


@dataclass
class Preflight:
    """Checks ``streams`` with read requests alone, and takes an input in place of the engine."""

    references: References
    fields: CustomFields
    settings: Settings
    resources: Mapping[str, Resource]
    ignored: Collection[str]

    def __post_init__(self) -> None:
        self._come: defaultdict[str, StreamOutcomes] = defaultdict(StreamOutcomes)
        self._mappings: dict[str, StreamMapping] = {}
        self._refused: defaultdict[str, list[str]] = defaultdict(list)
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self.problems = 0

    def probe(self) -> None:
        """Send one request, to prove that the address and the API key are right."""
        next(self.references.client.pages("/accounts", "/resources/accounts", {"limit": "1"}), None)

    # What the engine would take.

    def declare(self, mapping: StreamMapping) -> StreamMapping:
        """Keep the mapping of a stream for `lines`."""
        _ = self._come[mapping.stream]
        self._mappings[mapping.stream] = mapping
        return mapping

    def refuse(self, stream: str, error: MappingError | SettingsError) -> None:
        """Keep the reasons why a stream cannot be written for `lines`."""
        _ = self._come[stream]
        self._refused[stream] += error.problems

    def take(self, row: InputRow) -> None:
        """Check a row, up to `SAMPLE` of each stream, and count it as rejected if it cannot be written."""
        mapping, record = row.mapping, row.record
        counts = self._come[mapping.stream]
        counts.read += 1
        if counts.read > SAMPLE or UNDO in record:
            return
        settings = self.settings
        try:
            fields = self.fields.of_row(row) or self._fields_of(mapping)
            nulls, protected = settings.nulls, settings.protected_traits
            parsed = parse_row(mapping, record, nulls, protected, fields)
            if settings.deletes or not parsed.delete:
                _check_sendable(row, parsed)
        except Rejection as rejection:
            counts.count("rejected", str(rejection), f"row {counts.read:,}")
        else:
            self._paths[mapping.stream].update(parsed.traits)

    def ignore(self, name: str, stream: str, origin: Origin, record: Record) -> None:
        """Do nothing: rows of streams that are not written need no check."""

    def state(self, value: Any) -> None:
        """Do nothing: a check acknowledges no STATE."""

    def tick(self) -> None:
        """Do nothing: a check has no batches to write."""

    def finish(self, streams: Iterable[str]) -> None:
        """Do nothing: `lines` reports the findings."""

    def reject_line(self, stream: str, line: int, reason: str) -> None:
        """Count a line of the input that is no Singer message."""
        self._come[stream or NO_STREAM].count("rejected", reason, f"line {line:,}")

    # What was found.

    def lines(self) -> Iterator[str]:
        """Yield the findings about each stream: of the input, else of ``streams``, else of all resources."""
        for setting, path in self.settings.files.items():
            if not os.access(path if Path(path).exists() else Path(path).parent, os.W_OK):
                yield self._problem(f"{setting}: it cannot be written")
        entries = self.settings.streams
        for stream in self._come or entries or self.resources:
            reported = list(self._about(stream, entries.get(stream) or {}))
            for line in reported or ["can be written"]:
                yield f"{stream if stream == NO_STREAM else safe_name(stream)}: {line}"
        if self._come:
            yield from not_come(entries, self._come)

    def _problem(self, text: str) -> str:
        self.problems += 1
        return text

    def _about(self, stream: str, entry: Mapping[str, Any]) -> Iterator[str]:
        for problem in self._refused.get(stream, ()):
            yield self._problem(problem.removeprefix(f"{stream}: "))
        name = entry.get("resource") or resource_named(stream, self.resources, self.ignored)
        resource = self.resources.get(name)
        if resource is None:
            if stream not in self._refused and stream not in self._come:
                yield self._problem("is named like no resource: set resource")
        else:
            mapping = self._mappings.get(stream)
            if mapping is None and stream not in self._come:
                yield from self._in_settings(stream, entry, resource)
            elif mapping:
                yield from mapping.warnings
                if keyless := no_key(mapping):
                    yield self._problem(keyless)
            yield from self._in_workspace(stream, entry, resource)
        counts = self._come.get(stream, StreamOutcomes())
        self.problems += counts.outcomes["rejected"]
        yield from counts.reason_lines()

    def _in_settings(
        self, stream: str, entry: Mapping[str, Any], resource: Resource
    ) -> Iterator[str]:
        """Yield the mistakes of an entry that show without knowing the columns."""
        try:
            map_stream(stream, (), entry, resource, self.settings.mode)
        except MappingError as error:
            yield from map(self._problem, error.problems)

    def _in_workspace(
        self, stream: str, entry: Mapping[str, Any], resource: Resource
    ) -> Iterator[str]:
        """Yield the custom objects and traits that the workspace lacks, and the choices of traits."""
        if resource.only_message:
            return
        try:
            path = resource.api.path
            if "{" not in path:
                next(self.references.client.pages(path, f"/resources{path}", {"limit": "1"}), None)
            object_ = str(entry.get("custom_object") or "")
            if object_ and not self._object_id(object_):
                yield self._problem(f"there is no custom object {safe_name(object_)}")
            paths = [*trait_columns(entry.get("traits")), *sorted(self._paths.get(stream, ()))]
            if paths and resource.model:
                yield from self._traits(resource, object_, list(dict.fromkeys(paths)))
        except Refused as refused:
            yield self._problem(f"cannot be read in this workspace (status {refused.status})")
        except LookupFailed as failed:
            yield self._problem(str(failed))

    def _object_id(self, name: str) -> str:
        """Return the id of a custom object, empty if there is none.

        Raise `LookupFailed` where that is unknown.
        """
        index = self.references.index(OBJECTS)
        index.find("name", [name])
        found = index.get("name", name)
        return str(found[0]["id"]) if len(found) == 1 else ""

    def _fields_of(self, mapping: StreamMapping) -> Fields:
        """Return the custom fields of the custom object that ``custom_object`` names; empty if none."""
        object_ = mapping.fixed.get("customObjectName", "")
        id_ = ""
        with suppress(LookupFailed):  # which `lines` reports
            id_ = self._object_id(object_) if object_ else ""
        if not id_:
            return {}
        typed = self.fields.typed(mapping.stream, mapping.resource, id_)
        return typed.fields if typed else {}

    def _traits(self, resource: Resource, object_: str, paths: Sequence[str]) -> Iterator[str]:
        object_id = self._object_id(object_) if object_ else ""
        try:
            fields = self.fields.read(resource, object_id)
        except Refused as refused:
            yield self._problem(
                f"its custom fields cannot be read in this workspace (status {refused.status})"
            )
            return
        if fields is None:
            return
        for absent in missing_fields(fields, paths):
            yield self._problem(absent)
        for path in paths:
            if path in fields and fields[path].choices:
                choices = ", ".join(map(str, dict.fromkeys(fields[path].choices.values())))
                yield f"the trait {safe_name(path)} takes {choices}"


def check_files(settings: Settings, source: IO[str] | None) -> None:
    """Raise `VitallyError` if an output file is also the input, or two output files are the same."""
    known: dict[str, str] = {}
    for name, path in settings.files.items():
        # undo_file is fed back while it is set: it is renamed before anything is written.
        if source and name != "undo_file" and _same_file(path, source.name):
            raise VitallyError(
                f"{name} is the file given with --input: it would be emptied before it is read"
            )
        for other, its_path in known.items():
            if _same_file(path, its_path):
                raise VitallyError(f"{name} and {other} are one file: each needs its own")
        known[name] = path


def _same_file(path: str, name: str) -> bool:
    try:
        return Path(path).samefile(name)
    except OSError:
        return Path(path).resolve() == Path(name).resolve()


def _check_sendable(row: InputRow, parsed: ParsedRow) -> None:
    """Raise `Rejection` if a row lacks what the address or the event message requires."""
    resource = row.mapping.resource
    check_address(resource, parsed)
    if resource.name == EVENTS and (
        reason := problem_of_event(message_of_event(row, parsed), parsed)
    ):
        raise Rejection(reason)
