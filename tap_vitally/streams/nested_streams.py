"""The lists below each account and each organization, as a table.

Most of them hold what the list of the whole workspace holds, and cost a request per account or
organization. They are for the link that the record itself does not carry.

API: GET /accounts/:accountId/..., GET /organizations/:organizationId/...
"""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.streams.conversations import ConversationsStream
from tap_vitally.streams.customers import AccountsStream, OrganizationsStream, UsersStream
from tap_vitally.streams.meetings import MeetingsStream
from tap_vitally.streams.notes import NotesStream
from tap_vitally.streams.nps import NpsResponsesStream
from tap_vitally.streams.projects import ProjectsStream
from tap_vitally.streams.tasks import TasksStream
from tap_vitally.sync.nested import NestedReader
from vitally_api.resources import ACCOUNT_STATUS, ARCHIVED, ONE, Variants

Row = tuple[type[VitallyStream], type[VitallyStream], Variants, str]

TABLE: tuple[Row, ...] = (
    (AccountsStream, UsersStream, ONE, "The users of each account."),
    (
        AccountsStream,
        ConversationsStream,
        ONE,
        "The conversations of each account: the link that conversations themselves lack.",
    ),
    (AccountsStream, NotesStream, ARCHIVED, "The notes of each account."),
    (AccountsStream, TasksStream, ARCHIVED, "The tasks of each account."),
    (AccountsStream, ProjectsStream, ONE, "The projects of each account."),
    (
        AccountsStream,
        NpsResponsesStream,
        ONE,
        "The NPS responses of each account: the link that responses themselves lack.",
    ),
    (
        AccountsStream,
        MeetingsStream,
        ONE,
        "The meetings of each account; a meeting may be under several.",
    ),
    (OrganizationsStream, AccountsStream, ACCOUNT_STATUS, "The accounts of each organization."),
    (OrganizationsStream, UsersStream, ONE, "The users of each organization."),
    (OrganizationsStream, ConversationsStream, ONE, "The conversations of each organization."),
    (OrganizationsStream, NotesStream, ARCHIVED, "The notes of each organization."),
    (OrganizationsStream, TasksStream, ARCHIVED, "The tasks of each organization."),
    (OrganizationsStream, ProjectsStream, ONE, "The projects of each organization."),
    (OrganizationsStream, NpsResponsesStream, ONE, "The NPS responses of each organization."),
    (OrganizationsStream, MeetingsStream, ONE, "The meetings of each organization."),
)
"""Whose list it is, the stream that holds the same records, the lists of one parent, what they are."""


def _below(
    parent: type[VitallyStream], of: type[VitallyStream], variants: Variants, description: str
) -> type[VitallyStream]:
    """Declare a list below each parent: ``account_notes``, with the key ``parentAccountId``."""
    kind = parent.name.removesuffix("s")
    parent_key = f"parent{kind.capitalize()}Id"
    schema = f.with_keys(
        of.schema, f.key(parent_key, f"The {kind} whose list the record is in ({parent.name}.id).")
    )
    if of.variants.inject:
        schema["properties"].pop(of.variants.inject)
    declared = {
        "__doc__": description,
        "__module__": __name__,
        "name": f"{kind}_{of.name}",
        "path": f"{parent.path}/{{{parent_key}}}{of.path}",
        "schema": schema,
        "primary_keys": (parent_key, "id"),
        "variants": variants,
        "shape": of.resource.shape,
        "parent": parent,
        "parent_key": parent_key,
        "of": of,
        "selected_by_default": False,
        "reader": NestedReader,
    }
    return type(f"{kind.capitalize()}{of.__name__}", (VitallyStream,), declared)


BELOW = tuple(_below(*row) for row in TABLE)
