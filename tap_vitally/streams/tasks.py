"""Tasks and their categories."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f


class TasksStream(VitallyStream):
    """Tasks of the team, open and completed; a task has no status beyond `completedAt`.

    A deleted task is only archived: it stays in the stream, with `archivedAt` set.
    """

    name = "tasks"
    schema = f.record(
        *f.DATED,
        f.ARCHIVED_AT,
        f.EXTERNAL_ID,
        *f.OWNERS,
        f.text("name", "Title of the task."),
        f.text("description", "Body in HTML."),
        f.day("dueDate", "Day on which the task is due."),
        f.moment("completedAt", "When the task was completed; null while open."),
        f.text("completedById", "Team member who completed it (admins.id); null while open."),
        f.free_form("completedBy", "That team member, with id, name and email."),
        f.text("createdById", "Team member who created it (admins.id); rarely sent."),
        f.text("assignedToId", "Team member it is assigned to (admins.id); null when unassigned."),
        f.free_form("assignedTo", "The assignee, with id, name and email; null when unassigned."),
        *f.CATEGORISED,
        f.objects(
            "projects", "Projects the task is part of (projects.id), nearly complete copies."
        ),
        f.text("meetingId", "Meeting the task came out of (meetings.id); null otherwise."),
        *f.LINKS,
        f.SOURCE,
        f.TRAITS,
    )


class TaskCategoriesStream(VitallyStream):
    """Categories a task can have."""

    name = "task_categories"
    replication_key = None
    schema = f.CATEGORY_SCHEMA
