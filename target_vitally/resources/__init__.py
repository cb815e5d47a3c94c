"""What Vitally takes: one declaration for each resource, and the streams that none takes."""

from __future__ import annotations

from target_vitally.mapping.resource import Resource
from target_vitally.resources.activity import NOTES, NPS_RESPONSES, PROJECTS, TASKS
from target_vitally.resources.custom import CUSTOM_OBJECT_INSTANCES, CUSTOM_OBJECTS
from target_vitally.resources.customers import ACCOUNTS, ORGANIZATIONS, USERS
from target_vitally.resources.messages import EVENTS, USER_ACCOUNTS
from target_vitally.resources.talks import (
    CONVERSATIONS,
    MEETING_TRANSCRIPTS,
    MEETINGS,
    MESSAGES,
)
from target_vitally.writers.base import ResourceWriter
from target_vitally.writers.conversations import ConversationMessageWriter, ConversationWriter
from target_vitally.writers.custom_objects import CustomObjectWriter
from target_vitally.writers.meetings import MeetingWriter, TranscriptWriter
from target_vitally.writers.projects import ProjectWriter
from target_vitally.writers.user_accounts import UserAccountWriter
from target_vitally.writers.users import UserWriter
from vitally_api.resources import LISTS, NESTED, nested_name

RESOURCES: dict[str, Resource] = {
    resource.name: resource
    for resource in (
        ORGANIZATIONS,
        ACCOUNTS,
        USERS,
        CUSTOM_OBJECTS,
        TASKS,
        NOTES,
        PROJECTS,
        NPS_RESPONSES,
        CONVERSATIONS,
        CUSTOM_OBJECT_INSTANCES,
        MEETINGS,
        MESSAGES,
        MEETING_TRANSCRIPTS,
        USER_ACCOUNTS,
        EVENTS,
    )
}

WRITERS: dict[str, type[ResourceWriter]] = {
    **dict.fromkeys(RESOURCES, ResourceWriter),
    USERS.name: UserWriter,
    PROJECTS.name: ProjectWriter,
    CUSTOM_OBJECTS.name: CustomObjectWriter,
    CONVERSATIONS.name: ConversationWriter,
    MESSAGES.name: ConversationMessageWriter,
    MEETINGS.name: MeetingWriter,
    MEETING_TRANSCRIPTS.name: TranscriptWriter,
    USER_ACCOUNTS.name: UserAccountWriter,
}
"""How the records of each are written."""
NAMED: dict[str, str] = {
    "admins": "email",
    "note_categories": "name",
    "project_categories": "name",
    "project_templates": "name",
    "task_categories": "name",
}
"""Streams of the tap that are not written, but say what the ids in its other rows stand for."""
IGNORED: frozenset[str] = frozenset(
    {
        *(LISTS.keys() - RESOURCES.keys()),
        *(nested_name(parent, of) for parent, lists in NESTED.items() for of in lists),
        "inventory",
        "inventory_runs",
        "vitally_sync_runs",
    }
)
"""Streams of the tap that nothing takes: lists seen from a parent, and what only the app edits."""

__all__ = ["IGNORED", "NAMED", "RESOURCES", "WRITERS"]
