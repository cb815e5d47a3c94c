"""The lists below each account and each organization.

Most of them hold what the list of the whole workspace holds, and cost a request per account or
organization. They are for the link that the record itself does not carry.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from tap_vitally.children import ChildStream
from tap_vitally.client import VitallyStream
from tap_vitally.contexts import ACCOUNT_STATUS, ARCHIVED, ONE, Parent, Record, Variants
from tap_vitally.errors import Refused
from tap_vitally.fragments import key, with_keys
from tap_vitally.streams.conversations import ConversationsStream
from tap_vitally.streams.customers import AccountsStream, OrganizationsStream, UsersStream
from tap_vitally.streams.meetings import MeetingsStream
from tap_vitally.streams.notes import NotesStream
from tap_vitally.streams.nps import NpsResponsesStream
from tap_vitally.streams.projects import ProjectsStream
from tap_vitally.streams.tasks import TasksStream


class NestedStream(ChildStream):
    """The records of a stream of the whole workspace, as they are listed below each parent.

    Attributes:
        of: That stream.
    """

    of: ClassVar[type[VitallyStream]]
    selected_by_default = False

    def __init_subclass__(
        cls, of: type[VitallyStream] | None = None, variants: Variants = ONE
    ) -> None:
        """Declare the list.

        Args:
            of: The stream of the same resource for the whole workspace; None for a kind of lists.
            variants: The lists below one parent.
        """
        super().__init_subclass__()
        if of is None:
            return
        kind = cls.kind()
        cls.of = of
        cls.name = f"{kind}_{of.name}"
        cls.path = f"{cls.parent.path}/{{{cls.parent_key}}}{of.path}"
        cls.variants = variants
        described = f"The {kind} whose list the record is in ({cls.parent.name}.id)."
        schema: dict[str, Any] = with_keys(of.schema, key(cls.parent_key, described))
        if of.variants.inject:
            schema["properties"].pop(of.variants.inject)
        cls.schema = schema

    @classmethod
    def kind(cls) -> str:
        """What one of the parents is called.

        Returns:
            ``account`` or ``organization``.
        """
        return cls.parent.name.removesuffix("s")

    def changed_meanwhile(self, done: list[Parent]) -> Iterable[Parent]:
        """Ask the list of the whole workspace which parents' records have changed.

        Args:
            done: The parents that an interrupted run had done.

        Returns:
            Those named by a changed record; all of them, if one names none.
        """
        changed: set[str] = set()
        try:
            for record in self.run.stream(self.of.name).changes(self.place.signpost):
                owners = _owners(record, self.kind())
                if not owners:
                    return done
                changed |= owners
        except Refused:
            return done
        return [parent for parent in done if parent.id in changed]


def _owners(record: Record, kind: str) -> set[str]:
    """Find the ids of the accounts or organizations that a record names, in all ways seen."""
    several, ids = record.get(f"{kind}s"), record.get(f"{kind}Ids")
    copies = [record.get(kind), *(several if isinstance(several, list) else ())]
    named = [record.get(f"{kind}Id"), *(ids if isinstance(ids, list) else ())]
    named += [copy.get("id") for copy in copies if isinstance(copy, dict)]
    return {str(identity) for identity in named if isinstance(identity, str | int)}


class AccountChildStream(NestedStream):
    """A list below every account: ``class AccountNotesStream(AccountChildStream, of=NotesStream)``.

    API: GET /accounts/:accountId/...
    """

    parent = AccountsStream
    parent_key = "parentAccountId"
    primary_keys: ClassVar[tuple[str, ...]] = ("parentAccountId", "id")


class OrganizationChildStream(NestedStream):
    """A list below every organization.

    API: GET /organizations/:organizationId/...
    """

    parent = OrganizationsStream
    parent_key = "parentOrganizationId"
    primary_keys: ClassVar[tuple[str, ...]] = ("parentOrganizationId", "id")


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
