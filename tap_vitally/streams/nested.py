"""The lists below each account and each organization.

Most of them hold what the list of the whole workspace holds, and cost a request per account or
organization. They are for the link that the record itself does not carry.
"""

from __future__ import annotations

from typing import Any, ClassVar

from tap_vitally.children import ChildStream
from tap_vitally.client import VitallyStream
from tap_vitally.contexts import ACCOUNT_STATUS, ARCHIVED, ONE, Variants
from tap_vitally.fragments import key, with_keys
from tap_vitally.streams.conversations import ConversationsStream
from tap_vitally.streams.customers import AccountsStream, OrganizationsStream, UsersStream
from tap_vitally.streams.meetings import MeetingsStream
from tap_vitally.streams.notes import NotesStream
from tap_vitally.streams.nps import NpsResponsesStream
from tap_vitally.streams.projects import ProjectsStream
from tap_vitally.streams.tasks import TasksStream


class AccountChildStream(ChildStream):
    """A list below every account: ``class AccountNotesStream(AccountChildStream, of=NotesStream)``.

    API: GET /accounts/:accountId/...
    """

    parent = AccountsStream
    parent_key = "parentAccountId"
    primary_keys: ClassVar[tuple[str, ...]] = ("parentAccountId", "id")
    selected_by_default = False

    def __init_subclass__(cls, of: type[VitallyStream], variants: Variants = ONE) -> None:
        """Declare the list.

        Args:
            of: The stream of the same resource for the whole workspace.
            variants: The lists below one account.
        """
        super().__init_subclass__()
        _declare(cls, "account", of, variants)


class OrganizationChildStream(ChildStream):
    """A list below every organization.

    API: GET /organizations/:organizationId/...
    """

    parent = OrganizationsStream
    parent_key = "parentOrganizationId"
    primary_keys: ClassVar[tuple[str, ...]] = ("parentOrganizationId", "id")
    selected_by_default = False

    def __init_subclass__(cls, of: type[VitallyStream], variants: Variants = ONE) -> None:
        """Declare the list.

        Args:
            of: The stream of the same resource for the whole workspace.
            variants: The lists below one organization.
        """
        super().__init_subclass__()
        _declare(cls, "organization", of, variants)


def _declare(
    child: type[ChildStream], parent: str, of: type[VitallyStream], variants: Variants
) -> None:
    child.name = f"{parent}_{of.name}"
    child.path = f"{child.parent.path}/{{{child.parent_key}}}{of.path}"
    child.variants = variants
    described = f"The {parent} whose list the record is in ({parent}s.id)."
    schema: dict[str, Any] = with_keys(of.schema, key(child.parent_key, described))
    if of.variants.inject:
        schema["properties"].pop(of.variants.inject)
    child.schema = schema


class AccountUsersStream(AccountChildStream, of=UsersStream):
    """The users of each account."""


class AccountConversationsStream(AccountChildStream, of=ConversationsStream):
    """The conversations of each account: the link that conversations themselves lack."""


class AccountNotesStream(AccountChildStream, of=NotesStream, variants=ARCHIVED):
    """The notes of each account."""


class AccountTasksStream(AccountChildStream, of=TasksStream, variants=ARCHIVED):
    """The tasks of each account."""


class AccountProjectsStream(AccountChildStream, of=ProjectsStream):
    """The projects of each account."""


class AccountNpsResponsesStream(AccountChildStream, of=NpsResponsesStream):
    """The NPS responses of each account: the link that responses themselves lack."""


class AccountMeetingsStream(AccountChildStream, of=MeetingsStream):
    """The meetings of each account; a meeting may be under several."""


class OrganizationAccountsStream(
    OrganizationChildStream, of=AccountsStream, variants=ACCOUNT_STATUS
):
    """The accounts of each organization."""


class OrganizationUsersStream(OrganizationChildStream, of=UsersStream):
    """The users of each organization."""


class OrganizationConversationsStream(OrganizationChildStream, of=ConversationsStream):
    """The conversations of each organization."""


class OrganizationNotesStream(OrganizationChildStream, of=NotesStream, variants=ARCHIVED):
    """The notes of each organization."""


class OrganizationTasksStream(OrganizationChildStream, of=TasksStream, variants=ARCHIVED):
    """The tasks of each organization."""


class OrganizationProjectsStream(OrganizationChildStream, of=ProjectsStream):
    """The projects of each organization."""


class OrganizationNpsResponsesStream(OrganizationChildStream, of=NpsResponsesStream):
    """The NPS responses of each organization."""


class OrganizationMeetingsStream(OrganizationChildStream, of=MeetingsStream):
    """The meetings of each organization."""


ACCOUNT_CHILDREN: tuple[type[VitallyStream], ...] = (
    AccountUsersStream,
    AccountConversationsStream,
    AccountNotesStream,
    AccountTasksStream,
    AccountProjectsStream,
    AccountNpsResponsesStream,
    AccountMeetingsStream,
)
ORGANIZATION_CHILDREN: tuple[type[VitallyStream], ...] = (
    OrganizationAccountsStream,
    OrganizationUsersStream,
    OrganizationConversationsStream,
    OrganizationNotesStream,
    OrganizationTasksStream,
    OrganizationProjectsStream,
    OrganizationNpsResponsesStream,
    OrganizationMeetingsStream,
)
