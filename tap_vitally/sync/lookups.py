"""Reading exactly the records that the setting ``lookups`` names.

What the API can find by id, by external id or by e-mail goes into the stream it belongs to.
Bookmarks stay where they are. Source: API notes, the single-record and search endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from tap_vitally.state.parent_scan import Parent
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.resource import Parse, Record
from tap_vitally.sync.stream_run import StreamRun
from tap_vitally.sync.transcripts import transcript_in
from vitally_api import Refused, Unreadable, single
from vitally_api.resources import LISTS
from vitally_api.statuses import UNKNOWN_ID

CRITERIA = ("id", "externalId", "customerId", "organizationId", "customFieldId", "customFieldValue")


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


def breakdown_in(body: Any) -> list[Record]:
    """Return a health breakdown as the API sent it, as its structure is not documented; or an empty list.

    A list becomes an object of ``results``, because a column holds objects.
    """
    if isinstance(body, dict) and body.get("error"):
        raise Unreadable("an error in place of data")
    nothing: tuple[Any, ...] = (None, [], {})
    if body in nothing or (isinstance(body, dict) and all(v in nothing for v in body.values())):
        return []
    return [{"breakdown": {"results": body} if isinstance(body, list) else body}]


LOOKUPS: Mapping[str, Lookup] = {
    **{
        name: Lookup(
            name,
            f"{api.path}/{{}}",
            takes="Ids or external ids" if "externalId" in api.lookups else "Ids",
        )
        for name, api in LISTS.items()
        if api.lookups.get("id") == "path"
    },
    "user_emails": Lookup("users", "/users/search", "email", takes="E-mail addresses"),
    "user_external_ids": Lookup("users", "/users/search", "externalId", takes="External ids"),
    "admin_emails": Lookup("admins", "/admins/search", "email", takes="E-mail addresses"),
    "messages": Lookup("messages", "/messages/{}"),
    "meeting_transcripts": Lookup(
        "meeting_transcripts",
        "/meetingTranscripts/{}",
        otherwise="/meetings/{}/transcript",
        inject="meetingId",
        takes="Ids, or ids of their meetings,",
        parse=transcript_in,
    ),
    "account_health_scores": Lookup(
        "account_health_scores",
        "/accounts/{}/healthScores",
        inject="accountId",
        takes="Account ids",
        parse=breakdown_in,
    ),
}
INSTANCES = "custom_object_instances"
BY_CRITERION = Lookup(INSTANCES, "/customObjects/{}/instances/search")


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
    """Return the names of the streams that look-ups write to."""
    return {LOOKUPS[name].stream if name in LOOKUPS else name for name in lookups}


def requests(stream: StreamRun) -> Iterator[ListRequest]:
    """Yield the look-ups for a stream: a request for each value, with a label such as ``users[2]``.

    The path still has ``{}`` for the value, which stands as the parent's id: messages name the
    look-up and not its value, which may be an e-mail address.
    """
    for name, values in stream.settings.lookups.items():
        lookup = LOOKUPS.get(name, BY_CRITERION)
        if lookup.stream != stream.resource.name:
            continue
        for position, value in enumerate(values or ()):
            label = f"{name}[{position}]"
            if lookup is BY_CRITERION:
                query = {by: str(each) for by, each in value.items() if by in CRITERIA}
                of = value["customObjectId"]
                yield ListRequest(lookup.path, query, label, {"customObjectId": of}, Parent(of))
                continue
            text = str(value)
            query = {lookup.parameter: text} if lookup.parameter else {}
            inject = {lookup.inject: text} if lookup.inject and not lookup.otherwise else {}
            yield ListRequest(lookup.path, query, label, inject, Parent(text))


def look_up(stream: StreamRun, request: ListRequest) -> Iterator[Page]:
    """Look up one value of the setting; count it as skipped if there is no record."""
    lookup = LOOKUPS.get(request.label.partition("[")[0], BY_CRITERION)
    page = _ask(stream, lookup, request)
    if not page.records and lookup.otherwise and request.parent:
        inject = {lookup.inject: request.parent.id}
        page = _ask(stream, lookup, replace(request, path=lookup.otherwise, inject=inject))
    if not page.records:
        stream.metrics.skip(f"lookups.{request.label} was not found")
    yield page


def _ask(stream: StreamRun, lookup: Lookup, request: ListRequest) -> Page:
    called = f"/resources{request.path} (lookups.{request.label})"
    value = request.parent.id if request.parent else ""
    # Without the parent that stands for the value, it is asked for as patiently as a list.
    request = replace(request, path=request.path.format(quote(value, safe="")), parent=None)
    try:
        answer = stream.list_client.ask(request, lookup.parse, called)
    except Refused as refusal:
        if refusal.status not in UNKNOWN_ID:
            raise
        return Page(request)
    return stream.page(request, stream.dated(answer), answer.size)
