"""Tasks, notes, projects and NPS responses (API notes on writing, 3.4 to 3.7)."""

from __future__ import annotations

from target_vitally.mapping.resource import LookupColumn, Reference, Resource
from target_vitally.resources.parts import (
    OWN_ID,
    PARENTS,
    STAMPS,
    account,
    admin,
    named,
    organization,
    prop,
)
from vitally_api.resources import LISTS

TAGS = prop("tags", "tags", clears=False, always=True)
"""An update without them takes them away."""

TASKS = Resource(
    name="tasks",
    api=LISTS["tasks"],
    rank=4,
    properties=(
        OWN_ID,
        prop("name", needed=True),
        prop("accountId", clears=False),
        prop("organizationId", clears=False),
        prop("description", "html"),
        prop("dueDate", "date"),
        prop("assignedToId"),
        prop("completedAt", "instant"),
        prop("completedById"),
        prop("categoryId"),
        TAGS,
    ),
    references=(
        account(),
        organization(),
        admin("assignedToId", "assignedToEmail", "assignedTo"),
        admin("completedById", "completedByEmail", "completedBy"),
        named("categoryId", "categoryName", "task_categories", "category"),
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
        prop("note", "html", needed=True),
        prop("noteDate", "instant", needed=True),
        prop("accountId", clears=False),
        prop("organizationId", clears=False),
        prop("subject"),
        prop("authorId"),
        prop("categoryId"),
        TAGS,
    ),
    references=(
        account(),
        organization(),
        admin("authorId", "authorEmail", "author"),
        named("categoryId", "categoryName", "note_categories", "category"),
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
        prop("templateId", needed=True, fixed=True, clears=False),
        prop("accountId", fixed=True, clears=False),
        prop("organizationId", fixed=True, clears=False),
        prop("name", clears=False),
        prop("targetStartDate", "date"),
        prop("targetCompletionDate", "date"),
        prop("projectStatusId"),
        prop("projectCategoryId"),
        prop("ownedByVitallyUserId"),
    ),
    references=(
        account(embedded=""),
        organization(embedded=""),
        named("templateId", "templateName", "project_templates"),
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
        prop("userId", needed=True, clears=False, always=True),
        prop("score", "integer", needed=True, clears=False, always=True),
        prop("respondedAt", "instant", needed=True, clears=False, always=True),
        prop("feedback"),
    ),
    references=(
        Reference(
            "userId",
            "users",
            (
                LookupColumn("userExternalId", "users", "externalId"),
                LookupColumn("userEmail", "users", "email"),
            ),
            "user",
        ),
    ),
    key_needed=False,
    upserts=True,
    read_only=STAMPS | {"dismissedAt", "target"},
)
