"""What the workspace says of its custom fields, read when traits are first written."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

from target_vitally.mapping.parse_row import Nulls
from target_vitally.mapping.resource import Fields, Resource
from target_vitally.mapping.row_traits import has_traits
from target_vitally.mapping.traits import fields_of, typed_traits
from target_vitally.pipeline.outcomes import InputRow, Outcomes
from target_vitally.pipeline.wire import Wire
from target_vitally.pipeline.work import PendingWrite
from vitally_api import Refused, Unavailable, Unreadable, safe_name
from vitally_api.resources import CUSTOM_FIELD_MODELS

CUSTOM = "vitally.custom."
"""What the paths begin with of traits that nobody can write who has not made a field for them."""
OBJECTS = "customObjects"


class CustomFields:
    """Reads the custom fields of a resource once in a run: one request, or one for each object."""

    def __init__(self, wire: Wire, outcomes: Outcomes) -> None:
        self._wire = wire
        self._outcomes = outcomes
        self._known: dict[tuple[str, str], Resource | None] = {}
        self._lock = threading.Lock()

    def of_row(self, row: InputRow) -> Fields:
        """Return the fields that a row may write; those of an instance's object come with it."""
        if not has_traits(row.mapping, row.record):
            return {}
        typed = self.typed(row.mapping.stream, row.mapping.resource)
        return typed.fields if typed else {}

    def type_traits(self, write_: PendingWrite, nulls: Nulls) -> None:
        """Let a record be compared by its fields; `InvalidValue` is raised for what one does not take."""
        parsed, stream = write_.parsed, write_.mapping.stream
        if not parsed.traits or write_.missing_parent:
            return
        object_ = write_.inside.get("customObjectId", "")
        write_.typed = self.typed(stream, write_.mapping.resource, object_)
        if write_.typed is None:
            return
        fields = write_.typed.fields
        if object_:
            keep = nulls == "clear" and not parsed.copy
            traits = typed_traits(fields, parsed.traits, keep_nulls=keep)
            write_.parsed = replace(parsed, traits=traits)
        self._tell_missing(stream, missing(fields, parsed.traits))

    def typed(self, stream: str, resource: Resource, custom_object: str = "") -> Resource | None:
        """Return a resource with its custom fields; None where the workspace does not tell them.

        ``custom_object`` is the id of the object whose instances are written.
        """
        with self._lock:
            place = resource.name, custom_object
            if place not in self._known:
                self._known[place] = self._typed(stream, resource, custom_object)
            return self._known[place]

    def _typed(self, stream: str, resource: Resource, custom_object: str) -> Resource | None:
        try:
            fields = self.read(resource, custom_object)
        except (Refused, Unavailable, Unreadable) as failure:
            if isinstance(failure, Refused) and failure.key:
                raise
            self._outcomes.warn_once(
                stream,
                "custom fields",
                "%s: the workspace does not tell its custom fields, so that traits are compared as "
                "they are: %s",
                stream,
                failure,
            )
            return None
        return None if fields is None else replace(resource, fields=fields)

    def read(self, resource: Resource, custom_object: str = "") -> Fields | None:
        """Read the fields; None for resources whose fields the API does not list, as meetings'."""
        query = {"model": resource.model or ""}
        if resource.model == OBJECTS and custom_object and not custom_object.startswith("new:"):
            query["customObjectId"] = custom_object
        elif resource.model not in CUSTOM_FIELD_MODELS.values:
            return None
        return fields_of(self._wire.rows("/customFields", "/resources/customFields", query))

    def _tell_missing(self, stream: str, paths: Iterable[str]) -> None:
        """Warn of traits that the workspace has no field for: it may drop them without a word."""
        for path in paths:
            self._outcomes.warn_once(
                stream,
                f"no field {path}",
                "%s: the workspace has no custom field %s: make it in the app, or leave the trait out.",
                stream,
                safe_name(path),
            )


def missing(fields: Fields, paths: Iterable[str]) -> list[str]:
    """Find the paths of custom fields that are not there; API traits come to be by being written."""
    return [path for path in paths if path.startswith(CUSTOM) and path not in fields]
