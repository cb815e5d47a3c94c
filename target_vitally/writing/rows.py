"""Rows as they are read: into what their resource takes, or to their end."""

from __future__ import annotations

from collections.abc import Callable

from target_vitally.planning.fit import Fitted, Named, Rejection, fit, key_of
from target_vitally.planning.meaning import Meaning
from target_vitally.writing.exact import ExactLinks
from target_vitally.writing.outcomes import Row
from target_vitally.writing.run import Run

AMBIGUOUS = "other values of the columns of its key make the same text"
SPARED = "%s: nothing is unlinked from records of which a row was rejected."


class RowReader:
    """Reads rows, and remembers what those of a whole run have to say together."""

    def __init__(self, run: Run, exact: ExactLinks, end: Callable[..., None]) -> None:
        """``end`` lets rows end without a write: rows, outcome, reason and key."""
        self._run = run
        self._exact = exact
        self._end = end
        self._joined: dict[Named, int] = {}

    def read(self, row: Row) -> Fitted | None:
        """Read a row, or end it."""
        settings, resource = self._run.settings, row.meaning.resource
        try:
            fields = self._run.fields.of_row(row)
            fitted = fit(row.meaning, row.record, settings.nulls, settings.protected_traits, fields)
            self._check_joined(fitted)
        except Rejection as rejection:
            if self.is_exact(row.meaning):
                self._exact.spare(resource, key_of(row.meaning, row.record))
                self._run.outcomes.tell_once(
                    row.meaning.stream, "spared", SPARED, row.meaning.stream
                )
            self._end([row], "rejected", str(rejection))
            return None
        if fitted.delete and (off := self._why_not_deleted(row)):
            self._end([row], "ignored", off, fitted.key)
            return None
        self._tell_protected(row, fitted)
        if self.is_exact(row.meaning):
            self._exact.note(resource, fitted)
        return fitted

    def is_exact(self, meaning: Meaning) -> bool:
        """Return whether links that no row names are taken away."""
        return meaning.links == "exact" and self._run.settings.deletes

    def _check_joined(self, fitted: Fitted) -> None:
        """Reject other columns that make the same key: ``a-b`` and ``c``, then ``a`` and ``b-c``."""
        for named, parts in fitted.joined:
            if self._joined.setdefault(named, hash(parts)) != hash(parts):
                raise Rejection(AMBIGUOUS)

    def _why_not_deleted(self, row: Row) -> str:
        resource = row.meaning.resource
        if row.meaning.of_links:
            return "a link that is gone does not delete what was linked (see links in the docs)"
        if not self._run.settings.deletes:
            return "deletes are off"
        if resource.needs_flag and not self._run.settings.delete_custom_objects:
            return f"{resource.needs_flag} is off"
        return ""

    def _tell_protected(self, row: Row, fitted: Fitted) -> None:
        for path in fitted.protected:
            self._run.outcomes.tell_once(
                row.meaning.stream,
                f"protected {path}",
                "%s: the trait %s belongs to another system and was left out (protected_traits).",
                row.meaning.stream,
                path,
            )
