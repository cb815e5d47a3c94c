"""The check of a run before its first row: the key, the resources, objects and traits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from target_vitally.lookup.client import RecordClient
from target_vitally.lookup.custom_fields import CustomFields, missing_fields
from target_vitally.lookup.references import References
from target_vitally.mapping.entries import resource_named, trait_columns
from target_vitally.mapping.resource import Resource
from vitally_api import Refused, safe_name

OBJECTS = "custom_objects"


class Preflight:
    """Looks at what ``streams`` names, with reads alone."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it asks, and about what
        self,
        client: RecordClient,
        references: References,
        fields: CustomFields,
        streams: Mapping[str, Any],
        resources: Mapping[str, Resource],
        ignored: Collection[str],
    ) -> None:
        self._client = client
        self._references = references
        self._fields = fields
        self._streams = streams
        self._resources = resources
        self._ignored = ignored
        self.problems = 0

    def probe(self) -> None:
        """Prove the key."""
        next(self._client.pages("/accounts", "/resources/accounts", {"limit": "1"}), None)

    def lines(self) -> Iterator[str]:
        """Yield for each stream what would be taken; without any, for each resource."""
        for stream, entry in (self._streams or {name: {} for name in self._resources}).items():
            name = entry.get("resource") or resource_named(stream, self._resources, self._ignored)
            reported = ", ".join(self._about(name, entry)) or "can be written"
            yield f"{safe_name(stream)}: {reported}"

    def _about(self, name: str, entry: Mapping[str, Any]) -> Iterator[str]:
        resource = self._resources.get(name)
        if resource is None:
            self.problems += 1
            yield "is named like no resource: set resource"
            return
        try:
            path = resource.api.path
            if "{" not in path:
                next(self._client.pages(path, f"/resources{path}", {"limit": "1"}), None)
            yield from self._object(entry)
            yield from self._traits(resource, entry)
        except Refused as refused:
            if refused.key:
                raise
            self.problems += 1
            yield f"is not given by this workspace ({refused.status})"

    def _object(self, entry: Mapping[str, Any]) -> Iterator[str]:
        if not entry.get("custom_object"):
            return
        index = self._references.index(OBJECTS)
        index.find("name", [str(entry["custom_object"])])
        if len(index.get("name", str(entry["custom_object"]))) != 1:
            self.problems += 1
            yield f"there is no custom object {safe_name(str(entry['custom_object']))}"

    def _traits(self, resource: Resource, entry: Mapping[str, Any]) -> Iterator[str]:
        paths = list(trait_columns(entry.get("traits")))
        if not paths or resource.model is None:
            return
        object_ = ""
        if entry.get("custom_object"):
            found = self._references.index(OBJECTS).get("name", str(entry["custom_object"]))
            object_ = str(found[0]["id"]) if found else ""
        fields = self._fields.read(resource, object_)
        if fields is None:
            return
        absent = missing_fields(fields, paths)
        self.problems += len(absent)
        yield from (f"the trait {safe_name(path)} does not exist" for path in absent)
        for path in paths:
            if path in fields and fields[path].choices:
                choices = ", ".join(map(str, dict.fromkeys(fields[path].choices.values())))
                yield f"the trait {safe_name(path)} takes {choices}"
