"""Projects, the templates they are made from, and their categories."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import typing as th

from tap_vitally.client import VitallyStream
from tap_vitally.contexts import ARCHIVED
from tap_vitally.fragments import (
    ACCOUNT_ID,
    ARCHIVED_AT,
    CATEGORY_SCHEMA,
    CREATED_AT,
    ID,
    ORGANIZATION_ID,
    TRAITS,
    UPDATED_AT,
    record_schema,
)

PROJECT_CATEGORY_ID = th.Property(
    "projectCategoryId",
    th.StringType,
    description="Category (project_categories.id); null when uncategorised.",
)


class ProjectsStream(VitallyStream):
    """Projects of accounts and organizations; tasks point to theirs, not the other way round.

    A deleted project is only archived: it stays in the stream, with `archivedAt` set.

    API: GET /projects
    """

    name = "projects"
    path = "/projects"
    variants = ARCHIVED
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        ARCHIVED_AT,
        ACCOUNT_ID,
        ORGANIZATION_ID,
        th.Property("name", th.StringType, description="Name of the project."),
        th.Property(
            "templateId",
            th.StringType,
            description="Template it was made from (project_templates.id); may not be sent.",
        ),
        PROJECT_CATEGORY_ID,
        th.Property(
            "projectStatusId",
            th.StringType,
            description="Status of the project; the API has no list of statuses to join to.",
        ),
        th.Property(
            "ownedByVitallyUserId",
            th.StringType,
            description="Team member who owns the project (admins.id).",
        ),
        th.Property(
            "durationInDays",
            th.NumberType,
            description=(
                "Days from start to completion, or to now while unfinished, so it grows without"
                " updatedAt changing."
            ),
        ),
        th.Property("targetStartDate", th.DateType, description="Planned first day."),
        th.Property("targetCompletionDate", th.DateType, description="Planned last day."),
        th.Property(
            "actualStartDate",
            th.StringType,
            description=(
                "When it started, null before that; text, for sources disagree whether it is a"
                " date or a timestamp."
            ),
        ),
        th.Property(
            "actualCompletionDate",
            th.StringType,
            description=(
                "When it was completed, null before that; text, for sources disagree whether it"
                " is a date or a timestamp."
            ),
        ),
        TRAITS,
    )


class ProjectTemplatesStream(VitallyStream):
    """Templates that projects are made from.

    API: GET /projectTemplates
    """

    name = "project_templates"
    path = "/projectTemplates"
    replication_key = None
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        th.Property("name", th.StringType, description="Title of the template."),
        th.Property(
            "projectName",
            th.StringType,
            description="Name given to projects made from the template.",
        ),
        th.Property("description", th.StringType, description="What the template is for."),
        PROJECT_CATEGORY_ID,
        TRAITS,
    )


class ProjectCategoriesStream(VitallyStream):
    """Categories a project or a project template can have.

    API: GET /projectCategories
    """

    name = "project_categories"
    path = "/projectCategories"
    replication_key = None
    schema: ClassVar[dict[str, Any]] = CATEGORY_SCHEMA
