"""What a sandbox shows of records that were written, held against what they should say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from harness.reference_model import Name, Record, ReferenceModel, plain_email
from harness.tables import KINDS, TRAIT, Row
from sandbox import Sandbox

ADMINS = {
    "assignedToEmail": "assignedToId",
    "authorEmail": "authorId",
    "ownerEmail": "ownedByVitallyUserId",
}


class ObservedState:
    """Reads a sandbox's tables as the rows that were written say it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._tables = sandbox.world.tables

    def named(self, name: Name) -> list[Row]:
        """Return the records that have a key."""
        stream, key = name
        kind = KINDS[stream]
        return [r for r in self._tables[kind.table].rows.values() if self._key(stream, r) == key]

    def _key(self, stream: str, row: Row) -> Any:
        if stream == "keyed-projects":
            return row["traits"].get(TRAIT)
        if stream == "meeting_transcripts":
            return self._row("meetings", row["meetingId"])["externalId"]
        return row[KINDS[stream].key]

    def _row(self, table: str, id_: str | None) -> Row:
        return self._tables[table].rows.get(id_ or "", {})

    def says(self, stream: str, row: Row, name: str, value: Any) -> bool:
        """Return True if a record says what a column says."""
        if name.startswith("traits."):
            return same(row["traits"].get(name.removeprefix("traits.")), value)
        if name == "templateName" or (stream == "keyed-projects" and name == "accountExternalId"):
            return True  # only a create takes them
        reader = READERS.get(name)
        if reader:
            return reader(self, row, value)
        return same(row.get(name), value)

    def account(self, row: Row, value: str) -> bool:
        account = row.get("accountId") or row.get("customerId")
        return bool(self._row("accounts", account).get("externalId") == value)

    def accounts(self, row: Row, value: list[str]) -> bool:
        return {each["externalId"] for each in row["accounts"]} >= set(value)

    def organization(self, row: Row, value: str) -> bool:
        return bool(self._row("organizations", row["organizationId"]).get("externalId") == value)

    def user(self, row: Row, value: str) -> bool:
        return bool(self._row("users", row["userId"]).get("externalId") == value)

    def admin(self, row: Row, name: str, value: str) -> bool:
        return same_email(self._row("admins", row[ADMINS[name]]).get("email"), value)

    def category(self, row: Row, value: str) -> bool:
        tables = (self._row(t, row["categoryId"]) for t in ("taskCategories", "noteCategories"))
        return any(found.get("name") == value for found in tables)

    def an_object(self, row: Row, value: str) -> bool:
        return bool(self._row("customObjects", row["customObjectId"]).get("name") == value)

    def conversation(self, row: Row, value: str) -> bool:
        mine = [
            self._row("conversations", link).get("externalId")
            for link in self._tables["messages"].links(row["id"])
        ]
        return value in mine

    def messages(self, row: Row, value: list[Row]) -> bool:
        table = self._tables["messages"]
        held = [table.rows[key] for key in table.listed(row["id"])]
        return all(
            [text(m["message"]) for m in held if m["externalId"] == wanted["externalId"]]
            == [text(wanted["message"])]
            for wanted in value
        )

    def sender(self, row: Row, value: Row) -> bool:
        found = self._row("users", row["from"]["id"])
        return bool(found.get("externalId") == value["externalId"])

    def readers(self, row: Row, value: list[Row]) -> bool:
        emails = [self._row("admins", person["id"]).get("email") for person in row["to"]]
        return all(map(same_email, emails, (person["email"] for person in value)))

    def people(self, row: Row, value: list[Row]) -> bool:
        come = [
            plain_email(
                person.get("email") or self._row("users", person.get("userId")).get("email", "")
            )
            for person in row["participants"]
        ]
        named = {plain_email(person["email"]) for person in value}
        return len(come) == len(set(come)) and named <= set(come)

    @staticmethod
    def labels(row: Row, value: list[Row]) -> bool:
        return {f["label"] for f in value} <= {f["label"] for f in row["customFields"]}


READERS: Mapping[str, Callable[[ObservedState, Row, Any], bool]] = {
    "accountExternalId": ObservedState.account,
    "accountExternalIds": ObservedState.accounts,
    "organizationExternalId": ObservedState.organization,
    "userExternalId": ObservedState.user,
    "categoryName": ObservedState.category,
    "customObjectName": ObservedState.an_object,
    "conversationExternalId": ObservedState.conversation,
    "messages": ObservedState.messages,
    "from": ObservedState.sender,
    "to": ObservedState.readers,
    "participants": ObservedState.people,
    "customFields": lambda _, row, value: ObservedState.labels(row, value),
    "email": lambda _, row, value: same_email(row["email"], value),
    "tags": lambda _, row, value: set(row["tags"]) == set(value),
    **{
        name: lambda observed, row, value, name=name: observed.admin(row, name, value)  # type: ignore[misc]
        for name in ADMINS
    },
    **{
        name: lambda _, row, value, name=name: text(row[name]) == text(value)  # type: ignore[misc]
        for name in ("note", "message", "description")
    },
}


def same_email(found: Any, wanted: Any) -> bool:
    """Compare e-mails."""
    return plain_email(found or "") == plain_email(wanted or "")


def text(value: Any) -> str:
    """Return the text of HTML."""
    return re.sub(r"<[^>]*>|\s", "", value or "")


def same(found: Any, wanted: Any) -> bool:
    """Compare values, and moments however they are written."""
    if isinstance(found, str) and isinstance(wanted, str) and re.match(r"\d{4}-\d\d-\d\d", wanted):
        return moment(found) == moment(wanted)
    return type(found) is type(wanted) and bool(found == wanted)


def moment(value: str) -> datetime:
    """Read a moment; without a zone it is UTC."""
    read = datetime.fromisoformat(value)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def differences(
    sandbox: Sandbox, reference_model: ReferenceModel, runs: int, *, uncertain: bool
) -> Iterator[str]:
    """Return what is there twice, missing, stale or too much.

    ``runs`` is how many there were: a project without a key is made at most once in each, and may
    be missing only if somebody was told that it is ``uncertain``.
    """
    observed = ObservedState(sandbox)
    for name, record in reference_model.records.items():
        found = observed.named(name)
        yield from _number(name, found, record, sandbox)
        live = [row for row in found if not row.get("archivedAt")]
        for column, value in record.said.items() if live and record.there else ():
            if not observed.says(name[0], live[0], column, value):
                yield f"{name}: {column} is stale, it should be {value!r}: {live[0]}"
    for name in reference_model.bad:
        if observed.named(name):
            yield f"{name} is there, though its parent is not"
    projects = [row["name"] for row in sandbox.world.tables["projects"].rows.values()]
    for title, times in reference_model.keyless.items():
        if not (not uncertain) <= projects.count(title) <= times * runs:
            yield f"the project {title} is there {projects.count(title)} times"


def _number(name: Name, found: list[Row], record: Record, sandbox: Sandbox) -> Iterator[str]:
    if len(found) > 1:
        yield f"{name} is there twice"
    live = [row for row in found if not row.get("archivedAt")]
    if record.there is True and not live:
        yield f"{name} is missing"
    later = name[0] == "users" and sandbox.writer.switches.users_deleted == "later"
    if record.there is False and live and not later:
        yield f"{name} is there, and should not be"
