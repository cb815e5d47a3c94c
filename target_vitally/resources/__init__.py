"""What Vitally takes: one declaration for each resource, and the streams that none takes."""

from __future__ import annotations

from target_vitally.lookup.references import LOOKED_UP
from target_vitally.mapping.resource import Resource
from target_vitally.resources.declarations import DECLARED
from target_vitally.writers.base import ResourceWriter
from target_vitally.writers.conversations import ConversationMessageWriter, ConversationWriter
from target_vitally.writers.custom_objects import CustomObjectWriter
from target_vitally.writers.meetings import MeetingWriter, TranscriptWriter
from target_vitally.writers.projects import ProjectWriter
from target_vitally.writers.users import UserAccountWriter, UserWriter
from vitally_api.resources import LISTS, NESTED, nested_name

RESOURCES: dict[str, Resource] = {resource.name: resource for resource in DECLARED}

WRITERS: dict[str, type[ResourceWriter]] = {
    **dict.fromkeys(RESOURCES, ResourceWriter),
    "users": UserWriter,
    "projects": ProjectWriter,
    "custom_objects": CustomObjectWriter,
    "conversations": ConversationWriter,
    "messages": ConversationMessageWriter,
    "meetings": MeetingWriter,
    "meeting_transcripts": TranscriptWriter,
    "user_accounts": UserAccountWriter,
}
"""How the records of each are written."""
NAMED: dict[str, str] = {name: str(resource.key) for name, resource in LOOKED_UP.items()}
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
