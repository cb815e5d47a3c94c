"""Parse rows; reject those that cannot be written."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from target_vitally.lookup.exact_links import ExactLinks
from target_vitally.mapping.parse_row import ParsedRow, Rejection, key_of, parse_row
from target_vitally.mapping.rows import InputRow
from target_vitally.pipeline.stage import Stage

ParsedRows = list[tuple[ParsedRow, InputRow]]
LINKS = "user_accounts"
AMBIGUOUS = "other values of the columns of its key make the same text"
SPARED = "%s: nothing is unlinked from records that have a rejected row."
PROTECTED = "%s: the trait %s belongs to another system and was left out (protected_traits)."


@dataclass
class RowParser(Stage):
    """Parses rows, and remembers their composite keys and their links for the whole run."""

    exact: ExactLinks

    def __post_init__(self) -> None:
        entries = self.settings.streams.values()
        self._exact_streams = any(entry.get("links") == "exact" for entry in entries)
        self._warned: defaultdict[str, set[str]] = defaultdict(set)

    def parse(self, row: InputRow) -> ParsedRow | None:
        """Parse a row; if it is rejected or ignored, record that and return None."""
        settings, mapping, store = self.settings, row.mapping, self.references.store
        try:
            fields = self.fields.of_row(row)
            parsed = parse_row(
                mapping, row.record, settings.nulls, settings.protected_traits, fields
            )
            # The columns a-b and c make the same key as a and b-c.
            for ref, parts in parsed.ambiguous_keys:
                if store.recall(("columns of", ref)) not in {None, hash(parts)}:
                    raise Rejection(AMBIGUOUS)  # noqa: TRY301
                store.remember(("columns of", ref), hash(parts))
        except Rejection as rejection:
            if mapping.links == "exact":
                self.exact.spare(mapping.resource, key_of(mapping, row.record))
                self.outcomes.warn_once(mapping.stream, SPARED)
            self.outcomes.end([row], "rejected", str(rejection))
            return None
        if parsed.delete and (reason := self._why_not_deleted(row)):
            self.outcomes.end([row], "ignored", reason, key=parsed.key)
            return None
        warned = self._warned[mapping.stream]
        for path in parsed.protected - warned:
            warned.add(path)
            self.outcomes.warn_once(mapping.stream, PROTECTED, path)
        if mapping.links == "exact":
            self.exact.note(mapping.resource, parsed)
        elif mapping.resource.name == LINKS and self._exact_streams and not parsed.delete:
            self.exact.note_link(parsed)
        return parsed

    def _why_not_deleted(self, row: InputRow) -> str:
        resource = row.mapping.resource
        if row.mapping.of_links:
            return "a link that is gone does not delete what was linked (see links in the docs)"
        if not self.settings.deletes:
            return "deletes are off"
        if resource.needs_flag and not self.settings.delete_custom_objects:
            return f"{resource.needs_flag} is off"
        return ""
