"""The lists below each account and each organization, as a table.

Most of them hold what the list of the whole workspace holds, and cost a request per account or
organization. They are for the link that the record itself does not carry.

API: GET /accounts/:accountId/..., GET /organizations/:organizationId/...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from vitally_api.resources import NESTED, Variants, nested_name

MORE: Mapping[str, str] = {
    "account_conversations": ": the link that conversations themselves lack",
    "account_meetings": "; a meeting may be under several",
    "account_nps_responses": ": the link that responses themselves lack",
}
"""What the description of a stream adds."""


def nested_streams(declared: Mapping[str, type[VitallyStream]]) -> Iterator[type[VitallyStream]]:
    """Yield a stream for each nested list, given the streams by name that hold the same records."""
    for parent, lists in NESTED.items():
        for of, variants in lists.items():
            yield _nested(declared[parent], declared[of], variants)


def _nested(
    parent: type[VitallyStream], of: type[VitallyStream], variants: Variants
) -> type[VitallyStream]:
    """Declare a list below each parent: ``account_notes``, with the key ``parentAccountId``."""
    kind, name = parent.name.removesuffix("s"), nested_name(parent.name, of.name)
    called = of.name.replace("_", " ").replace("nps", "NPS")
    parent_key = f"parent{kind.capitalize()}Id"
    key = f.key(parent_key, f"The {kind} whose list the record is in ({parent.name}.id).")
    properties = {key.name: key.schema, **of.schema["properties"]}
    properties.pop(of.resource.variants.inject or "", None)
    declared = {
        "__doc__": f"The {called} of each {kind}{MORE.get(name, '')}.",
        "__module__": __name__,
        "name": name,
        "path": f"{parent.resource.path}/{{{parent_key}}}{of.resource.path}",
        "schema": {
            **of.schema,
            "properties": properties,
            "required": [key.name, *of.schema["required"]],
        },
        "primary_keys": (parent_key, "id"),
        "variants": variants,
        "shape": of.resource.shape,
        "parent": parent,
        "parent_key": parent_key,
        "of": of,
        "selected_by_default": False,
    }
    return type(f"{kind.capitalize()}{of.__name__}", (VitallyStream,), declared)
