"""Reading exactly the records that the setting ``lookups`` names.

What the API can find by id, by external id or by e-mail goes into the stream it belongs to.
Bookmarks stay where they are. Source: API notes, the single-record and search endpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.batches import MEMORY_FACTOR, ListRequest, RecordBatch
from tap_vitally.sync.children import breakdown_in
from tap_vitally.sync.resource import Parse
from tap_vitally.sync.stream_reader import Reader
from tap_vitally.sync.transcripts import transcript_in
from vitally_api import Refused, single

CRITERIA = (
    "id",
    "externalId",
    "customerId",
    "organizationId",
    "customFieldId",
    "customFieldValue",
)
NOT_FOUND = (400, 404)


@dataclass(frozen=True)
class Lookup:
    """One way to find a record.

    ``stream`` is where its record goes, ``path`` where to ask, with ``{}`` for the value,
    ``parameter`` the query parameter that takes the value, in a search. ``otherwise`` is where to
    ask when the first place has none; ``inject`` the property that receives the value, in a record
    that may lack it; ``takes`` what the values are. ``parse`` finds the record in an answer.
    """

    stream: str
    path: str
    parameter: str = ""
    otherwise: str = ""
    inject: str = ""
    takes: str = "Ids"
    parse: Parse = single


LOOKUPS: Mapping[str, Lookup] = {
    "accounts": Lookup("accounts", "/accounts/{}", takes="Ids or external ids"),
    "organizations": Lookup("organizations", "/organizations/{}", takes="Ids or external ids"),
    "users": Lookup("users", "/users/{}", takes="Ids or external ids"),
    "user_emails": Lookup("users", "/users/search", "email", takes="E-mail addresses"),
    "user_external_ids": Lookup("users", "/users/search", "externalId", takes="External ids"),
    "admin_emails": Lookup("admins", "/admins/search", "email", takes="E-mail addresses"),
    "conversations": Lookup("conversations", "/conversations/{}"),
    "messages": Lookup("messages", "/messages/{}"),
    "notes": Lookup("notes", "/notes/{}"),
    "tasks": Lookup("tasks", "/tasks/{}"),
    "projects": Lookup("projects", "/projects/{}"),
    "nps_responses": Lookup("nps_responses", "/npsResponses/{}"),
    "meetings": Lookup("meetings", "/meetings/{}", takes="Ids or external ids"),
    "meeting_transcripts": Lookup(
        "meeting_transcripts",
        "/meetingTranscripts/{}",
        otherwise="/meetings/{}/transcript",
        inject="meetingId",
        takes="Ids, or ids of their meetings,",
        parse=transcript_in,
    ),
    "custom_objects": Lookup("custom_objects", "/customObjects/{}"),
    "account_health_scores": Lookup(
        "account_health_scores",
        "/accounts/{}/healthScores",
        inject="accountId",
        takes="Account ids",
        parse=breakdown_in,
    ),
}
INSTANCES = "custom_object_instances"


def problems_with(lookups: Mapping[str, Any]) -> list[str]:
    """Check the setting; return one line per problem."""
    problems = [
        f"lookups has no key {name!r}: it takes {', '.join(sorted({*LOOKUPS, INSTANCES}))}"
        for name in lookups
        if name not in LOOKUPS and name != INSTANCES
    ]
    problems += [
        f"lookups.{name}[{position}] is {value!r}, which is no id"
        for name in LOOKUPS
        for position, value in enumerate(lookups.get(name) or [])
        if str(value).strip() in {"", ".", ".."}
    ]
    for position, search in enumerate(lookups.get(INSTANCES) or []):
        given = set(search) if isinstance(search, dict) else set()
        if "customObjectId" not in given or len(given) != 2 or not given & set(CRITERIA):  # noqa: PLR2004
            problems.append(
                f"lookups.{INSTANCES}[{position}] needs customObjectId and exactly one of "
                f"{', '.join(CRITERIA)}"
            )
    return problems


def streams_of(lookups: Mapping[str, Any]) -> set[str]:
    """Find the names of the streams that look-ups write to."""
    return {LOOKUPS[name].stream if name in LOOKUPS else name for name in lookups}


def page_tasks(
    reader: Reader, lookups: Mapping[str, Any]
) -> Iterator[Callable[[], Iterator[RecordBatch]]]:
    """Find what is to be looked up for a stream: one chain per value."""
    for name, lookup in LOOKUPS.items():
        if lookup.stream == reader.resource.name:
            for position, value in enumerate(lookups.get(name) or []):
                yield partial(_look_up, reader, lookup, f"{name}[{position}]", str(value))
    if reader.resource.name == INSTANCES:
        for position, search in enumerate(lookups.get(INSTANCES) or []):
            yield partial(_search_instances, reader, f"{INSTANCES}[{position}]", search)


def _look_up(reader: Reader, lookup: Lookup, label: str, value: str) -> Iterator[RecordBatch]:
    query = {lookup.parameter: value} if lookup.parameter else {}
    inject = {lookup.inject: value} if lookup.inject else {}
    first = {} if lookup.otherwise else inject
    page = _asked(reader, lookup, label, value, ListRequest(lookup.path, query, label, first))
    if not page.records and lookup.otherwise:
        other = ListRequest(lookup.otherwise, query, label, inject)
        page = _asked(reader, lookup, label, value, other)
    yield _found(reader, page)


def _search_instances(
    reader: Reader, label: str, search: Mapping[str, str]
) -> Iterator[RecordBatch]:
    query = {name: str(value) for name, value in search.items() if name != "customObjectId"}
    identity = search["customObjectId"]
    lookup = Lookup(INSTANCES, "/customObjects/{}/instances/search")
    context = ListRequest(lookup.path, query, label, {"customObjectId": identity})
    yield _found(reader, _asked(reader, lookup, label, identity, context))


def _found(reader: Reader, page: RecordBatch) -> RecordBatch:
    if not page.records:
        reader.skip(f"lookups.{page.context.label} was not found")
    return page


def _asked(
    reader: Reader, lookup: Lookup, label: str, value: str, where: ListRequest
) -> RecordBatch:
    """Ask in one place. Messages name the look-up, not its value, which may be an e-mail."""
    called = f"/resources{where.path} (lookups.{label})"
    path = where.path.format(quote(value, safe=""))
    context = replace(where, path=path, parent=Parent(value))
    try:
        answer = reader.list_client.look_up(context, lookup.parse, called)
    except Refused as refusal:
        if refusal.status not in NOT_FOUND:
            raise
        return RecordBatch(context, ends=True)
    records = reader.mapper.records(reader.dated(answer.data, answer.date), context)
    return RecordBatch(context, records, MEMORY_FACTOR * answer.size, ends=True)
