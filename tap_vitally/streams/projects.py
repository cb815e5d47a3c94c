"""Projects, the templates they are made from, and their categories."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f

PROJECT_CATEGORY_ID = f.text(
    "projectCategoryId", "Category (project_categories.id); null when uncategorised."
)


class ProjectsStream(VitallyStream):
    """Projects of accounts and organizations; tasks point to theirs, not the other way round.

    A deleted project is only archived: it stays in the stream, with `archivedAt` set.
    """

    name = "projects"
    schema = f.record(
        *f.DATED,
        f.ARCHIVED_AT,
        f.ACCOUNT_ID,
        f.ORGANIZATION_ID,
        *f.LINKS,
        f.text("name", "Name of the project."),
        f.text("templateId", "Template it was made from (project_templates.id); may not be sent."),
        PROJECT_CATEGORY_ID,
        f.text(
            "projectStatusId", "Status of the project; the API has no list of statuses to join to."
        ),
        f.text("ownedByVitallyUserId", "Team member who owns the project (admins.id)."),
        f.number(
            "durationInDays",
            "Days from start to completion, or to now while unfinished, so it grows without "
            "updatedAt changing.",
        ),
        f.day("targetStartDate", "Planned first day."),
        f.day("targetCompletionDate", "Planned last day."),
        f.moment(
            "actualStartDate", "When it started, null before that; midnight if only a day is known."
        ),
        f.moment(
            "actualCompletionDate",
            "When it was completed, null before that; midnight if only a day is known.",
        ),
        f.TRAITS,
    )


class ProjectTemplatesStream(VitallyStream):
    """Templates that projects are made from."""

    name = "project_templates"
    replication_key = None
    schema = f.record(
        *f.DATED,
        f.text("name", "Title of the template."),
        f.text("projectName", "Name given to projects made from the template."),
        f.text("description", "What the template is for."),
        PROJECT_CATEGORY_ID,
        f.TRAITS,
    )


class ProjectCategoriesStream(VitallyStream):
    """Categories a project or a project template can have."""

    name = "project_categories"
    replication_key = None
    schema = f.CATEGORY_SCHEMA
