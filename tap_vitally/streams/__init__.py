"""Every stream of the tap; the SDK lists and reads them by name."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams.conversations import ConversationsStream, MessagesStream
from tap_vitally.streams.custom import (
    CustomFieldsStream,
    CustomObjectFieldsStream,
    CustomObjectInstancesStream,
    CustomObjectsStream,
)
from tap_vitally.streams.customers import (
    AccountHealthScoresStream,
    AccountsStream,
    AdminsStream,
    OrganizationsStream,
    UsersStream,
)
from tap_vitally.streams.meetings import MeetingsStream, MeetingTranscriptsStream
from tap_vitally.streams.metadata_streams import BOOKKEEPING
from tap_vitally.streams.nested_streams import BELOW
from tap_vitally.streams.notes import NoteCategoriesStream, NotesStream
from tap_vitally.streams.nps import NpsResponsesStream
from tap_vitally.streams.projects import (
    ProjectCategoriesStream,
    ProjectsStream,
    ProjectTemplatesStream,
)
from tap_vitally.streams.surveys import SurveyQuestionsStream, SurveyResponsesStream
from tap_vitally.streams.tasks import TaskCategoriesStream, TasksStream

STREAMS: tuple[type[VitallyStream], ...] = (
    AccountsStream,
    OrganizationsStream,
    UsersStream,
    AdminsStream,
    ConversationsStream,
    NotesStream,
    NoteCategoriesStream,
    TasksStream,
    TaskCategoriesStream,
    ProjectsStream,
    ProjectTemplatesStream,
    ProjectCategoriesStream,
    NpsResponsesStream,
    MeetingsStream,
    CustomFieldsStream,
    CustomObjectsStream,
    CustomObjectFieldsStream,
    CustomObjectInstancesStream,
    SurveyResponsesStream,
    SurveyQuestionsStream,
    MeetingTranscriptsStream,
    MessagesStream,
    AccountHealthScoresStream,
    *BELOW,
    *BOOKKEEPING,
)

INVENTORIED: tuple[str, ...] = tuple(
    stream.name
    for stream in (
        AccountsStream,
        OrganizationsStream,
        UsersStream,
        ConversationsStream,
        NotesStream,
        TasksStream,
        ProjectsStream,
        NpsResponsesStream,
        MeetingsStream,
    )
)
"""The streams whose ids can be listed, to find out what was deleted."""
