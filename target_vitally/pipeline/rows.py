"""Rows as they are read: into what their resource takes, or to their end."""

from __future__ import annotations

from collections.abc import Callable

from target_vitally.mapping.parse_row import ParsedRow, RecordRef, Rejection, key_of, parse_row
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.pipeline.exact import ExactLinks
from target_vitally.pipeline.outcomes import InputRow
from target_vitally.pipeline.run import Run

AMBIGUOUS = "other values of the columns of its key make the same text"
SPARED = "%s: nothing is unlinked from records of which a row was rejected."


class RowReader:
    """Reads rows, and remembers what those of a whole run have to say together."""

    def __init__(self, run: Run, exact: ExactLinks, end: Callable[..., None]) -> None:
        """``end`` lets rows end without a write: rows, outcome, reason and key."""
        self._run = run
        self._exact = exact
        self._end = end
        self._joined: dict[RecordRef, int] = {}

    def read(self, row: InputRow) -> ParsedRow | None:
        """Read a row, or end it."""
        settings, resource = self._run.settings, row.mapping.resource
        try:
            fields = self._run.fields.of_row(row)
            parsed = parse_row(
                row.mapping, row.record, settings.nulls, settings.protected_traits, fields
            )
            self._check_joined(parsed)
        except Rejection as rejection:
            if self.is_exact(row.mapping):
                self._exact.spare(resource, key_of(row.mapping, row.record))
                self._run.outcomes.warn_once(
                    row.mapping.stream, "spared", SPARED, row.mapping.stream
                )
            self._end([row], "rejected", str(rejection))
            return None
        if parsed.delete and (off := self._why_not_deleted(row)):
            self._end([row], "ignored", off, parsed.key)
            return None
        self._warn_protected(row, parsed)
        if self.is_exact(row.mapping):
            self._exact.note(resource, parsed)
        return parsed

    def is_exact(self, mapping: StreamMapping) -> bool:
        """Return whether links that no row names are taken away."""
        return mapping.links == "exact" and self._run.settings.deletes

    def _check_joined(self, parsed: ParsedRow) -> None:
        """Reject other columns that make the same key: ``a-b`` and ``c``, then ``a`` and ``b-c``."""
        for named, parts in parsed.merge_into_delete:
            if self._joined.setdefault(named, hash(parts)) != hash(parts):
                raise Rejection(AMBIGUOUS)

    def _why_not_deleted(self, row: InputRow) -> str:
        resource = row.mapping.resource
        if row.mapping.of_links:
            return "a link that is gone does not delete what was linked (see links in the docs)"
        if not self._run.settings.deletes:
            return "deletes are off"
        if resource.needs_flag and not self._run.settings.delete_custom_objects:
            return f"{resource.needs_flag} is off"
        return ""

    def _warn_protected(self, row: InputRow, parsed: ParsedRow) -> None:
        for path in parsed.protected:
            self._run.outcomes.warn_once(
                row.mapping.stream,
                f"protected {path}",
                "%s: the trait %s belongs to another system and was left out (protected_traits).",
                row.mapping.stream,
                path,
            )
