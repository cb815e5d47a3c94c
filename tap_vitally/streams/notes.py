"""Notes and their categories."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import typing as th

from tap_vitally.client import VitallyStream
from tap_vitally.contexts import ARCHIVED
from tap_vitally.fragments import (
    ACCOUNT,
    ACCOUNT_ID,
    ARCHIVED_AT,
    CATEGORY,
    CATEGORY_ID,
    CATEGORY_SCHEMA,
    CREATED_AT,
    EXTERNAL_ID,
    FREE_FORM,
    ID,
    OBJECTS,
    ORGANIZATION,
    ORGANIZATION_ID,
    SOURCE,
    TAGS,
    TRAITS,
    UPDATED_AT,
    record_schema,
)


class NotesStream(VitallyStream):
    """Notes on accounts and organizations.

    A deleted note is only archived: it stays in the stream, with `archivedAt` set.

    API: GET /notes
    """

    name = "notes"
    path = "/notes"
    variants = ARCHIVED
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        ARCHIVED_AT,
        EXTERNAL_ID,
        ACCOUNT_ID,
        ACCOUNT,
        ORGANIZATION_ID,
        ORGANIZATION,
        th.Property("subject", th.StringType, description="Title of the note."),
        th.Property("note", th.StringType, description="Body in HTML."),
        th.Property(
            "noteDate",
            th.DateTimeType,
            description="Moment the note is about, chosen by its author.",
        ),
        th.Property(
            "meetingDescription",
            th.StringType,
            description="Description of the meeting behind the note; not documented by Vitally.",
        ),
        th.Property("authorId", th.StringType, description="Team member who wrote it (admins.id)."),
        th.Property(
            "author",
            FREE_FORM,
            description="The author, with id, name and email; null when no person wrote the note.",
        ),
        CATEGORY_ID,
        CATEGORY,
        TAGS,
        th.Property(
            "users",
            OBJECTS,
            description="Users the note is linked to; often empty, members not documented.",
        ),
        SOURCE,
        TRAITS,
    )


class NoteCategoriesStream(VitallyStream):
    """Categories a note can have.

    API: GET /noteCategories
    """

    name = "note_categories"
    path = "/noteCategories"
    replication_key = None
    schema: ClassVar[dict[str, Any]] = CATEGORY_SCHEMA
