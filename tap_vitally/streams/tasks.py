"""Tasks and their categories."""

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


class TasksStream(VitallyStream):
    """Tasks of the team, open and completed; a task has no status beyond `completedAt`.

    A deleted task is only archived: it stays in the stream, with `archivedAt` set.

    API: GET /tasks
    """

    name = "tasks"
    path = "/tasks"
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
        th.Property("name", th.StringType, description="Title of the task."),
        th.Property("description", th.StringType, description="Body in HTML."),
        th.Property(
            "dueDate",
            th.StringType,
            description="When the task is due: a bare date in practice, a timestamp by the docs.",
        ),
        th.Property(
            "completedAt",
            th.DateTimeType,
            description="When the task was completed; null while open.",
        ),
        th.Property(
            "completedById",
            th.StringType,
            description="Team member who completed it (admins.id); null while open.",
        ),
        th.Property(
            "completedBy",
            FREE_FORM,
            description="That team member, with id, name and email.",
        ),
        th.Property(
            "createdById",
            th.StringType,
            description="Team member who created it (admins.id); rarely sent.",
        ),
        th.Property(
            "assignedToId",
            th.StringType,
            description="Team member it is assigned to (admins.id); null when unassigned.",
        ),
        th.Property(
            "assignedTo",
            FREE_FORM,
            description="The assignee, with id, name and email; null when unassigned.",
        ),
        CATEGORY_ID,
        CATEGORY,
        TAGS,
        th.Property(
            "projects",
            OBJECTS,
            description="Projects the task is part of (projects.id), nearly complete copies.",
        ),
        th.Property(
            "meetingId",
            th.StringType,
            description="Meeting the task came out of (meetings.id); null otherwise.",
        ),
        SOURCE,
        TRAITS,
    )


class TaskCategoriesStream(VitallyStream):
    """Categories a task can have.

    API: GET /taskCategories
    """

    name = "task_categories"
    path = "/taskCategories"
    replication_key = None
    schema: ClassVar[dict[str, Any]] = CATEGORY_SCHEMA
