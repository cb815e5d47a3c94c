"""Read the custom fields of the workspace once traits are written, to convert their values."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from target_vitally.lookup.client import RecordClient
from target_vitally.mapping.entries import near
from target_vitally.mapping.parse_row import Nulls, has_traits
from target_vitally.mapping.resource import Fields, Record, Resource
from target_vitally.mapping.rows import InputRow, PendingWrite
from target_vitally.mapping.stream_mapping import StreamMapping
from target_vitally.mapping.values import fields_of, typed_traits
from vitally_api import Refused, Unavailable, Unreadable, safe_name
from vitally_api.resources import CUSTOM_FIELD_MODELS

CUSTOM = "vitally.custom."
"""Prefix of the paths of traits that need a custom field, which is made in the app."""
OBJECTS = "customObjects"
NOT_SHOWN = (
    "%s: the workspace does not tell its custom fields, so that traits are compared as they are: %s"
)


class CustomFields:
    """Reads the custom fields of a resource once in a run: one request, or one for each object."""

    def __init__(self, client: RecordClient, warn_once: Callable[..., None]) -> None:
        self._client = client
        self._warn_once = warn_once
        self._known: dict[tuple[str, str], Resource | None] = {}
        self._checked: defaultdict[str, set[str]] = defaultdict(set)
        self._lock = threading.Lock()

    def of_row(self, row: InputRow) -> Fields:
        """Return the custom fields of a row's resource, read once a row has traits; else empty.

        Those of custom objects' instances are only known once the object is (see `type_traits`).
        """
        mapping = row.mapping
        known = self._known.get((mapping.resource.name, ""))
        if known is None and has_traits(mapping, row.record):
            known = self.typed(mapping.stream, mapping.resource)
        return known.fields if known else {}

    def type_traits(self, write_: PendingWrite, nulls: Nulls) -> None:
        """Convert the traits of a write for their custom fields; raise `InvalidValue` if one does not fit."""
        parsed, object_id = write_.parsed, write_.inside.get("customObjectId", "")
        if not parsed.traits or write_.missing_parent:
            return
        write_.typed = self.typed_for(write_.mapping, parsed.traits, object_id)
        if object_id:
            keep = nulls == "clear" and not parsed.copy
            traits = typed_traits(write_.typed.fields, parsed.traits, keep_nulls=keep)
            write_.parsed = replace(parsed, traits=traits)

    def typed_for(self, mapping: StreamMapping, traits: Record, object_id: str = "") -> Resource:
        """Return the resource of a stream, with its custom fields if there are traits to compare.

        Warn of custom fields that do not exist: Vitally may drop their values without an error.
        """
        stream = mapping.stream
        typed = self.typed(stream, mapping.resource, object_id) if traits else None
        if typed is None:
            return mapping.resource
        checked = self._checked[stream]
        for path in traits.keys() - checked:
            checked.add(path)
            for what in missing_fields(typed.fields, [path]):
                self._warn_once(stream, "%s: %s.", what)
        return typed

    def typed(self, stream: str, resource: Resource, object_id: str = "") -> Resource | None:
        """Return a resource with its custom fields; None if the workspace does not list them.

        ``object_id`` is the id of the object whose instances are written.
        """
        place = resource.name, object_id
        with self._lock:
            if place not in self._known:
                fields = self._read_or_warn(stream, resource, object_id)
                self._known[place] = None if fields is None else replace(resource, fields=fields)
            return self._known[place]

    def _read_or_warn(self, stream: str, resource: Resource, object_id: str) -> Fields | None:
        try:
            return self.read(resource, object_id)
        except (Refused, Unavailable, Unreadable) as failure:
            self._warn_once(stream, NOT_SHOWN, failure)
            return None

    def read(self, resource: Resource, object_id: str = "") -> Fields | None:
        """Return the custom fields of a resource, read once; None if the API does not list them."""
        query: dict[str, Any] = {"model": resource.model or ""}
        if resource.model == OBJECTS and object_id and not object_id.startswith("new:"):
            query["customObjectId"] = object_id
        elif resource.model not in CUSTOM_FIELD_MODELS.values:
            return None
        return fields_of(self._client.rows("/customFields", "/resources/customFields", query))


def missing_fields(fields: Fields, paths: Iterable[str]) -> list[str]:
    """Return a warning for each path of a custom field that does not exist; other traits need none."""
    return [
        f"the trait {name} does not exist: the workspace has no custom field {name}"
        f"{near(path, fields)}; make it in the app, or leave the trait out"
        for path in paths
        if path not in fields and path.startswith(CUSTOM) and (name := safe_name(path))
    ]
