"""Reading exactly the records that the setting ``lookups`` names.

What the API can find by id, by external id or by e-mail goes into the stream it belongs to.
Bookmarks stay where they are. Source: API notes, the single-record and search endpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_vitally.client import WEIGHT
from tap_vitally.contexts import Context, Page, Parent
from tap_vitally.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_vitally.client import VitallyStream

CRITERIA = (
    "id",
    "externalId",
    "customerId",
    "organizationId",
    "customFieldId",
    "customFieldValue",
)


@dataclass(frozen=True)
class Lookup:
    """One way to find a record.

    Attributes:
        stream: The stream its record goes into.
        path: Where to ask; ``{}`` stands for the value.
        parameter: The query parameter that takes the value, in a search.
        otherwise: Where to ask when the first place has none.
        inject: The property that receives the value, in a record that may lack it.
        takes: What the values are.
    """

    stream: str
    path: str
    parameter: str = ""
    otherwise: str = ""
    inject: str = ""
    takes: str = "Ids"


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
    ),
    "custom_objects": Lookup("custom_objects", "/customObjects/{}"),
    "account_health_scores": Lookup(
        "account_health_scores",
        "/accounts/{}/healthScores",
        inject="accountId",
        takes="Account ids",
    ),
}
INSTANCES = "custom_object_instances"


def problems_with(lookups: Mapping[str, Any]) -> list[str]:
    """Check the setting.

    Args:
        lookups: Its value.

    Returns:
        One line per problem.
    """
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
    """Find the streams that look-ups write to.

    Args:
        lookups: The setting.

    Returns:
        Their names.
    """
    return {LOOKUPS[name].stream if name in LOOKUPS else name for name in lookups}


def chains(
    stream: VitallyStream, lookups: Mapping[str, Any]
) -> Iterator[Callable[[], Iterator[Page]]]:
    """Find what is to be looked up for a stream.

    Args:
        stream: The stream.
        lookups: The setting.

    Yields:
        One chain per value.
    """
    for name, lookup in LOOKUPS.items():
        if lookup.stream == stream.name:
            for position, value in enumerate(lookups.get(name) or []):
                yield partial(_look_up, stream, lookup, f"{name}[{position}]", str(value))
    if stream.name == INSTANCES:
        for position, search in enumerate(lookups.get(INSTANCES) or []):
            yield partial(_search_instances, stream, f"{INSTANCES}[{position}]", search)


def _look_up(stream: VitallyStream, lookup: Lookup, label: str, value: str) -> Iterator[Page]:
    query = {lookup.parameter: value} if lookup.parameter else {}
    inject = {lookup.inject: value} if lookup.inject else {}
    if lookup.otherwise:
        page = _asked(stream, lookup.path, value, query, label)
        if not page.records:
            page = _asked(stream, lookup.otherwise, value, query, label, inject)
    else:
        page = _asked(stream, lookup.path, value, query, label, inject)
    if not page.records:
        stream.skip(f"lookups.{label} was not found")
    yield page


def _search_instances(
    stream: VitallyStream, label: str, search: Mapping[str, str]
) -> Iterator[Page]:
    query = {name: str(value) for name, value in search.items() if name != "customObjectId"}
    inject = {"customObjectId": search["customObjectId"]}
    path = "/customObjects/{}/instances/search"
    page = _asked(stream, path, search["customObjectId"], query, label, inject)
    if not page.records:
        stream.skip(f"lookups.{label} was not found")
    yield page


def _asked(  # noqa: PLR0913, PLR0917 - one call, described by its parts
    stream: VitallyStream,
    path: str,
    value: str,
    query: Mapping[str, str],
    label: str,
    inject: Mapping[str, str] | None = None,
) -> Page:
    """Ask in one place. Messages name the look-up, not its value, which may be an e-mail."""
    context = Context(
        path.format(quote(value, safe="")),
        query,
        label,
        inject or {},
        parent=Parent(value),
    )
    place = f"/resources{path} (lookups.{label})"
    try:
        answer = stream.run.api.get(context.path, query, stream.found, stream.tally, place=place)
    except Refused as refusal:
        if refusal.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.BAD_REQUEST}:
            raise
        return Page(context, ends=True)
    records = stream.shaped(stream.records_of(answer), context)
    return Page(context, records, WEIGHT * answer.size, ends=True)
