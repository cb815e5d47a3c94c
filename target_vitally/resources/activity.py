"""Tasks, notes, projects and NPS responses (API notes on writing, 3.4 to 3.7)."""

from __future__ import annotations

from target_vitally.mapping.resource import Property, Resource
from target_vitally.resources.parts import (
    OWN_ID,
    PARENTS,
    STAMPS,
    account,
    admin,
    kept,
    named,
    organization,
)
from vitally_api.resources import LISTS

TAGS = kept("tags", "tags", always=True)
"""An update without them takes them away."""

TASKS = Resource(
    name="tasks",
    api=LISTS["tasks"],
    rank=4,
    properties=(
        OWN_ID,
        Property("name", needed=True),
        account(clears=False),
        organization(clears=False),
        Property("description", "html"),
        Property("dueDate", "date"),
        admin("assignedToId", "assignedToEmail", "assignedTo"),
        Property("completedAt", "instant"),
        admin("completedById", "completedByEmail", "completedBy"),
        named("categoryId", "categoryName", "task_categories", "category"),
        TAGS,
    ),
    key_needed=False,
    one_of=(PARENTS,),
    model="tasks",
    read_only=STAMPS | {"archivedAt", "createdById", "meetingId", "projects", "source"},
)

NOTES = Resource(
    name="notes",
    api=LISTS["notes"],
    rank=4,
    properties=(
        OWN_ID,
        Property("note", "html", needed=True),
        Property("noteDate", "instant", needed=True),
        account(clears=False),
        organization(clears=False),
        Property("subject"),
        admin("authorId", "authorEmail", "author"),
        named("categoryId", "categoryName", "note_categories", "category"),
        TAGS,
    ),
    key_needed=False,
    one_of=(PARENTS,),
    model="notes",
    read_only=STAMPS | {"archivedAt", "meetingDescription", "source", "users"},
)

PROJECTS = Resource(
    name="projects",
    api=LISTS["projects"],
    rank=4,
    properties=(
        named(
            "templateId",
            "templateName",
            "project_templates",
            needed=True,
            fixed=True,
            clears=False,
        ),
        account(embedded="", fixed=True, clears=False),
        organization(embedded="", fixed=True, clears=False),
        kept("name"),
        Property("targetStartDate", "date"),
        Property("targetCompletionDate", "date"),
        Property("projectStatusId"),
        named("projectCategoryId", "projectCategoryName", "project_categories"),
        admin("ownedByVitallyUserId", "ownerEmail"),
    ),
    key=None,
    keys=("id",),
    key_needed=False,
    one_of=(PARENTS,),
    model="projects",
    read_only=STAMPS
    | {"actualCompletionDate", "actualStartDate", "archivedAt", "durationInDays", "externalId"},
)

NPS_RESPONSES = Resource(
    name="nps_responses",
    api=LISTS["nps_responses"],
    rank=4,
    properties=(
        OWN_ID,
        kept(
            "userId",
            needed=True,
            always=True,
            of="users",
            lookups={"userExternalId": "externalId", "userEmail": "email"},
            embedded="user",
        ),
        kept("score", "integer", needed=True, always=True),
        kept("respondedAt", "instant", needed=True, always=True),
        Property("feedback"),
    ),
    key_needed=False,
    upserts=True,
    read_only=STAMPS | {"dismissedAt", "target"},
)
