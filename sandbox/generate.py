"""Makes rows: every field the API has, with the oddities of real data, always the same for a seed.

Each resource draws from its own random generator, so that asking for more notes leaves the users
as they are. Names, phrases and traits come from pools filled once, because a pool is what makes a
million users a matter of seconds; rows are never changed in place, so they may share what is in it.
"""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sandbox.clock import iso
from sandbox.pools import Pools, new_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sandbox.table import Links, Row
    from sandbox.world import World

T = TypeVar("T")

HISTORY = timedelta(days=730)
"""How far back a new world remembers."""

TIED_ROWS = 150
"""How many rows one bulk import stamps with a single moment: more than fit on a page of 100."""

WITHOUT_UPDATED_AT: Mapping[str, frozenset[int]] = {
    "projects": frozenset({3, 11, 17}),
    "meetings": frozenset({5, 13}),
}
"""Serial numbers of the rows that carry no ``updatedAt`` (API notes: projects, meetings)."""

DATA_MODELS = (
    "accounts",
    "conversations",
    "notes",
    "organizations",
    "projects",
    "tasks",
    "team",
    "users",
)
"""The models that have custom fields, next to the custom objects (API notes: custom fields)."""

CUSTOM_FIELDS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("Next step", "vitally.custom.nextStep", "textarea", ()),
    ("Products", "vitally.custom.products", "multiselect", ("north", "south", "wést")),
    ("Renewal 📅", "sfdc.Renew_Date__c", "datetime", ()),
    ("Tier", "vitally.custom.tier", "select", ("A", "B", "C")),
)
"""Label, path, type and options of the fields that each model has."""

CUSTOM_OBJECTS = (
    ("featureRequest", "Feature request"),
    ("Opportunity", "Opportunity"),
    ("customerGoals", None),
    ("", "Nameless"),
)
"""Machine name and label of the custom objects (API notes: custom objects)."""

USER_PARENTS = ("accounts", "organizations", "segments")
"""What the user embedded in an NPS response lacks."""

NOTE_DETAILS = ("account", "organization", "author", "category", "traits", "users")
"""What a note embedded in a meeting lacks."""

QUESTIONS = (
    ("How satisfied are you?", "number", True),
    ("What would you change?", "string", False),
    ("Which parts do you use?", "array", False),
    ("When did you start?", "date", False),
)
"""Title, type and obligation of the questions in each survey (API notes: custom surveys)."""


SIZED_PER_PARENT = frozenset({"instances", "surveyResponses"})
"""Resources whose size is that of each custom object, or of each survey."""


def sizes_for(accounts: int, asked: Mapping[str, int] | None = None) -> dict[str, int]:
    """Work out how many rows each resource gets.

    Args:
        accounts: The number that everything else is in proportion to.
        asked: Sizes by resource, which win. ``instances`` are counted per custom object and
            ``surveyResponses`` per survey; a conversation has 1 to 6 messages.

    Raises:
        ValueError: A resource that has no size of its own was asked for.
    """
    asked = asked or {}
    accounts = asked.get("accounts", accounts)
    meetings = asked.get("meetings", accounts)
    sizes = {
        "admins": min(12, 5 + accounts // 20),
        "noteCategories": 4,
        "taskCategories": 3,
        "projectCategories": 3,
        "projectTemplates": 5,
        "organizations": -(-accounts // 5),
        "accounts": accounts,
        "users": 4 * accounts,
        "conversations": 2 * accounts,
        "notes": 2 * accounts,
        "projects": -(-accounts // 2),
        "meetings": meetings,
        "meetingTranscripts": -(-meetings // 2),
        "tasks": 3 * accounts,
        "npsResponses": accounts,
        "customObjects": 3,
        "instances": accounts,
        "surveys": 2,
        "surveyResponses": -(-accounts // 2),
    }
    if unknown := asked.keys() - sizes.keys():
        msg = f"no such resource: {', '.join(sorted(unknown))} (there are {', '.join(sizes)})"
        raise ValueError(msg)
    return sizes | dict(asked)


class Moments(NamedTuple):
    """When a row was created and when it was last updated; the latter may be unknown."""

    created: str
    updated: str | None


class Made(NamedTuple):
    """A new row, with the links that cannot be read off the row itself."""

    row: Row
    links: Links = ()


class Maker:
    """Makes the rows of one world.

    The method named after a resource makes one row of it. The fields that the caller gives win over
    what would have been drawn; besides the fields of the rows these are the link fields that the
    API takes when something is written, such as ``accountIds`` for a user.
    """

    def __init__(self, world: World, seed: int) -> None:
        """Prepare to make rows.

        Args:
            world: The world that the rows refer to; they are not put there, only looked up.
            seed: What everything random follows from.
        """
        self._world = world
        self._seed = seed
        self._random = Random(f"{seed}:changes")
        self._pools = Pools(seed)
        self._makers: Mapping[str, Callable[[int, Row], Made]] = {
            "admins": self._admin,
            "noteCategories": self._category,
            "taskCategories": self._category,
            "projectCategories": self._category,
            "projectTemplates": self._project_template,
            "organizations": self._organization,
            "accounts": self._account,
            "users": self._user,
            "conversations": self._conversation,
            "messages": self._message,
            "notes": self._note,
            "projects": self._project,
            "meetings": self._meeting,
            "meetingTranscripts": self._meeting_transcript,
            "tasks": self._task,
            "npsResponses": self._nps_response,
            "customObjects": self._custom_object,
            "customFields": self._custom_field,
            "instances": self._instance,
            "surveys": self._survey,
            "surveyQuestions": self._survey_question,
            "surveyResponses": self._survey_response,
        }
        self._moments = Moments("", None)
        self._serials: Counter[str] = Counter()

    def make(self, resource: str, moments: Moments, given: Row) -> Made:
        """Make one row.

        Args:
            resource: Its kind.
            moments: When it was created and updated.
            given: Fields that are not left to chance.
        """
        self._moments = moments
        serial = self._serials[resource]
        self._serials[resource] += 1
        given = dict(given)
        made = self._makers[resource](serial, given)
        return Made({**made.row, **given}, made.links)

    def history(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, Made]]:
        """Make all the rows of a new world, parents before children.

        Each row has to be put into the world before the next one is asked for.

        Args:
            sizes: How many rows of each resource (see `sizes_for`).
        """
        for resource, size in sizes.items():
            if resource in SIZED_PER_PARENT:
                continue
            self._random = Random(f"{self._seed}:{resource}")
            for moments in self._spread(resource, size):
                yield resource, self.make(resource, moments, {})
                yield from self._parts(resource, moments, sizes)
        for model in DATA_MODELS:
            yield from self._fields_of({"model": model})
        self._random = Random(f"{self._seed}:changes")

    def _parts(
        self, resource: str, moments: Moments, sizes: Mapping[str, int]
    ) -> Iterator[tuple[str, Made]]:
        """Make what belongs to the newest row of a resource and to nothing else."""
        match resource:
            case "conversations":
                link = {"conversationId": self._world.tables[resource].ids[-1]}
                for _ in range(self._random.randrange(1, 7)):
                    yield "messages", self.make("messages", moments, link)
            case "customObjects":
                link = {"customObjectId": self._world.tables[resource].ids[-1]}
                yield from self._fields_of(link)
                for each in self._spread("instances", sizes["instances"]):
                    yield "instances", self.make("instances", each, link)
            case "surveys":
                link = {"surveyId": self._world.tables[resource].ids[-1]}
                for title, kind, required in QUESTIONS:
                    given = {**link, "title": title, "type": kind, "isRequired": required}
                    yield "surveyQuestions", self.make("surveyQuestions", moments, given)
                for each in self._spread("surveyResponses", sizes["surveyResponses"]):
                    yield "surveyResponses", self.make("surveyResponses", each, link)

    def _fields_of(self, owner: Row) -> Iterator[tuple[str, Made]]:
        created = iso(self._world.clock.now() - HISTORY)
        for label, path, kind, options in CUSTOM_FIELDS:
            given = {"label": label, "path": path, "type": kind, **owner}
            if options:
                given["options"] = [
                    {"label": option.title(), "value": option} for option in options
                ]
            yield "customFields", self.make("customFields", Moments(created, None), given)

    def _spread(self, resource: str, size: int) -> Iterator[Moments]:
        """Spread rows over the history in equal steps, with one bulk import in the middle."""
        latest = int(self._world.clock.now().timestamp()) * 1000 - 3_600_000
        span = int(HISTORY.total_seconds()) * 1000
        step = span // max(size, 1)
        tied = range(size // 2, size // 2 + min(TIED_ROWS, size // 3))
        unstamped = WITHOUT_UPDATED_AT.get(resource, frozenset())
        for i in range(size):
            created = latest - span + step * (tied.start if i in tied else i)
            share = 0.001 if i in tied else self._random.random() ** 3
            updated = created + int((latest - created) * share)
            yield Moments(_moment(created), None if i in unstamped else _moment(updated))

    # What the rows have in common.

    def _stamps(self) -> Row:
        return {
            "id": new_id(self._random),
            "createdAt": self._moments.created,
            "updatedAt": self._moments.updated,
        }

    def _maybe(self, value: T, share: float = 0.5) -> T | None:
        return value if self._random.random() < share else None

    def _past(self, share: float = 0.5) -> str | None:
        """A moment in the row's own time, or null."""
        return self._maybe(self._moments.updated or self._moments.created, share)

    def _future(self, share: float = 0.5) -> str | None:
        return self._maybe(f"{self._random.randrange(2027, 2030)}-01-01T00:00:00.000Z", share)

    def _day(self, share: float = 0.5) -> str | None:
        return self._maybe(self._moments.created[:10], share)

    def _any(self, resource: str) -> str | None:
        """The id of some row of a resource, or None if there is none."""
        ids = self._world.tables[resource].ids
        return self._random.choice(ids) if ids else None

    def _owner(self, given: Row, field: str, resource: str) -> str:
        """The id of what a row cannot be without."""
        owner: str | None = given.pop(field, None) or self._any(resource)
        if owner is None:
            msg = f"there are no {resource} that it could belong to"
            raise ValueError(msg)
        return owner

    def _phrase(self) -> str:
        return self._random.choice(self._pools.phrases)

    def _html(self) -> str:
        return (
            f"<p>{self._phrase()} &amp; <b>{self._phrase()}</b></p>"
            f'<ul><li>{self._phrase()}</li></ul><a href="https://www.example.com/?a=1&amp;b=2">…</a>'
        )

    def _traits(self) -> Row:
        return self._random.choice(self._pools.traits)

    def _external_id(self, prefix: str, serial: int) -> str | None:
        """Mostly plain, but empty, null, or with a slash, a space and an accent now and then."""
        match serial % 23:
            case 7:
                return ""
            case 11:
                return f"{prefix}/{serial} é"
            case 13:
                return None
            case _:
                return f"{prefix}-{serial}"

    def _person(self, serial: int, domain: str) -> tuple[str, str]:
        """A name and an address that belong to nobody."""
        first = self._random.choice(self._pools.first_names)
        last = self._random.choice(self._pools.last_names)
        name = f"{first} {last}" if serial % 19 else f"{first} “Łucja” {last} 🙂"
        return name, f"{first}.{last}+{serial}@{domain}".lower()

    def _source(self) -> str | None:
        return self._random.choice((None, None, "hubspot", "salesforce", "zapier"))

    def _parent(self, serial: int, given: Row) -> Row:
        """Choose what a note, task or project hangs on: an account or else an organization."""
        if "accountId" in given or "organizationId" in given:
            account, organization = given.pop("accountId", None), given.pop("organizationId", None)
        elif serial % 4 == 1:
            account, organization = None, self._any("organizations")
        else:
            account, organization = self._any("accounts"), None
        return self._world.linked("notes", {"accountId": account, "organizationId": organization})

    def _company_people(self, given: Row) -> tuple[list[str], Row]:
        """Choose people of one company, and the accounts and organizations they stand for."""
        users = given.pop("userIds", None)
        if users is None:
            someone = self._any("users")
            users = [someone] if someone else []
        accounts = given.pop("accountIds", None)
        organizations = given.pop("organizationIds", None)
        rows = [self._world.tables["users"].rows[user] for user in users]
        if accounts is None:
            accounts = _unique(row["id"] for user in rows for row in user["accounts"])
        if organizations is None:
            organizations = _unique(row["id"] for user in rows for row in user["organizations"])
        return users, {"accountIds": accounts, "organizationIds": organizations}

    # One method per resource.

    def _admin(self, serial: int, _given: Row) -> Made:
        name, email = self._person(serial, "example.org")
        statuses = ("active", "active", "active", "deactivated", "auto-created")
        return Made(
            {
                "id": new_id(self._random),
                "name": name,
                "email": email,
                "licenseStatus": statuses[serial % 5],
            }
        )

    def _category(self, serial: int, _given: Row) -> Made:
        return Made({**self._stamps(), "name": f"{self._phrase()} {'✨' if serial % 2 else ''}"})

    def _project_template(self, serial: int, _given: Row) -> Made:
        return Made(
            {
                **self._stamps(),
                "name": self._phrase(),
                "projectName": f"{self._phrase()} {serial}",
                "description": self._maybe(self._html()),
                "projectCategoryId": self._any("projectCategories") if serial % 4 else "1",
                "traits": {},
            }
        )

    def _customer(self, serial: int) -> Row:
        """The fields that accounts and organizations have in common."""
        name = self._random.choice(self._pools.companies)
        counts = [self._random.randrange(5) for _ in range(3)]
        return {
            **self._stamps(),
            "name": f"{name} {serial}",
            "traits": self._traits() if serial % 9 else {},
            "accountOwnerId": self._any("admins"),
            "mrr": self._maybe(round(self._random.uniform(0, 5000), 2), 0.8),
            "nextRenewalDate": self._future(),
            "churnedAt": self._moments.updated if serial % 7 == 3 else None,
            "firstPaidDate": self._past(),
            "firstSeenTimestamp": self._moments.created,
            "lastSeenTimestamp": self._past(0.8),
            "lastInboundMessageTimestamp": self._past(),
            "lastOutboundMessageTimestamp": self._past(),
            "trialEndDate": self._future(0.2),
            "usersCount": self._random.randrange(50),
            "npsDetractorCount": counts[0],
            "npsPassiveCount": counts[1],
            "npsPromoterCount": counts[2],
            "npsScore": (
                round(100 * (counts[2] - counts[0]) / sum(counts), 1) if sum(counts) else None
            ),
            "healthScore": self._maybe(round(self._random.uniform(0, 10), 1), 0.9),
            "csmId": self._any("admins"),
            "accountExecutiveId": self._maybe(self._any("admins")),
            "segments": self._random.sample(self._pools.segments, self._random.randrange(3)),
            "keyRoles": self._key_roles(),
        }

    def _key_roles(self) -> list[Row]:
        """Assigned roles and one that nobody fills (API notes: shared nested objects)."""
        roles = []
        for role in self._random.sample(self._pools.key_roles, self._random.randrange(3)):
            admin = self._maybe(self._any("admins"), 0.7)
            roles.append(
                {
                    "id": new_id(self._random),
                    "createdAt": self._moments.created,
                    "assignedAt": self._moments.created if admin else None,
                    "vitallyUser": self._world.copy_of("admins", admin),
                    "keyRole": role,
                }
            )
        return roles

    def _organization(self, serial: int, _given: Row) -> Made:
        row = self._customer(serial)
        row["externalId"] = self._external_id("org", serial)
        row["organizationOwnerId"] = row["accountOwnerId"]
        row["accountsCount"] = self._random.randrange(1, 9)
        return Made(row)

    def _account(self, serial: int, given: Row) -> Made:
        row = self._customer(serial)
        row["externalId"] = self._external_id("acc", serial)
        row["organizationId"] = given.pop(
            "organizationId", self._maybe(self._any("organizations"), 0.6)
        )
        return Made(row)

    def _user(self, serial: int, given: Row) -> Made:
        accounts = given.pop("accountIds", None)
        if accounts is None:
            drawn = {self._any("accounts") for _ in range(2 if serial % 11 == 4 else 1)}
            accounts = sorted(id_ for id_ in drawn if id_)
        organizations = given.pop("organizationIds", None)
        if organizations is None:
            rows = self._world.tables["accounts"].rows
            organizations = _unique(
                rows[id_]["organizationId"] for id_ in accounts if rows[id_]["organizationId"]
            )
        name, email = self._person(serial, f"example.{('com', 'org', 'net')[serial % 3]}")
        unsubscribed = serial % 10 == 6
        return Made(
            {
                **self._stamps(),
                "externalId": email if serial % 5 == 1 else self._external_id("u", serial),
                **self._world.linked(
                    "users", {"accountIds": accounts, "organizationIds": organizations}
                ),
                "name": name,
                "email": email if serial % 29 else None,
                "avatar": self._maybe(f"https://www.example.com/{serial}.png", 0.3),
                "traits": self._traits() if serial % 6 else {},
                "firstKnown": self._moments.created,
                "lastSeenTimestamp": self._past(0.8),
                "lastInboundMessageTimestamp": self._past(),
                "lastOutboundMessageTimestamp": self._past(),
                "npsLastScore": self._maybe(self._random.randrange(11), 0.4),
                "npsLastFeedback": self._maybe(self._phrase(), 0.2),
                "npsLastRespondedAt": self._past(0.3),
                "unsubscribedFromConversations": unsubscribed,
                "unsubscribedFromConversationsAt": self._moments.created if unsubscribed else None,
                "permanentlyBounced": serial % 31 == 8,
                "deactivatedAt": self._moments.updated if serial % 12 == 5 else None,
                "joinDate": self._moments.created,
                "segments": self._pools.segments[:1] if serial % 4 == 2 else [],
            }
        )

    def _conversation(self, serial: int, given: Row) -> Made:
        """A conversation's row says nothing on whose it is; only its single GET does."""
        users, parents = self._company_people(given)
        admin = self._any("admins")
        admins = given.pop("adminIds", [admin] if admin else [])
        source = self._random.choice(("outlook", "google", "intercom", "zendesk", "slack"))
        return Made(
            {
                **self._stamps(),
                "externalId": self._maybe(f"conv-{serial}", 0.2),
                "subject": self._maybe(self._phrase(), 0.9),
                "status": self._random.choice(("Open", "Closed", "", None)),
                "rating": self._random.choice((None, None, "Satisfied", "Neutral")),
                "source": source,
                "traits": (
                    {"zendesk.status": "open", "zendesk.tags": ["login"], "zendesk.type": None}
                    if source == "zendesk"
                    else {}
                ),
            },
            (*parents["accountIds"], *parents["organizationIds"], *users, *admins),
        )

    def _message(self, serial: int, given: Row) -> Made:
        conversation = self._owner(given, "conversationId", "conversations")
        members = self._world.tables["conversations"].links(conversation)
        people = {
            kind: next((id_ for id_ in members if id_ in self._world.tables[f"{kind}s"].rows), None)
            for kind in ("user", "admin")
        }
        inbound = serial % 3 != 1
        sender, receiver = ("user", "admin") if inbound else ("admin", "user")
        created = datetime.fromisoformat(self._moments.created)
        row = {
            "id": new_id(self._random),
            "type": "inbound" if inbound else "outbound",
            "externalId": self._maybe(f"msg-{serial}", 0.3),
            "externalUrl": self._maybe(f"https://www.example.com/messages/{serial}"),
            "message": self._html() if serial % 40 else "<p>Long</p>" * 2000,
            "timestamp": iso(created + timedelta(seconds=serial % 6 * 60)),
            "from": {"type": sender, "id": people[sender]},
            "to": [{"type": receiver, "id": people[receiver]}],
            "cc": [{"type": "user", "id": None}] if serial % 17 == 2 else [],
            "bcc": [],
        }
        if serial % 2:
            row["conversationId"] = conversation
        return Made(row, (conversation,))

    def _note(self, serial: int, given: Row) -> Made:
        author, category = self._maybe(self._any("admins"), 0.8), self._any("noteCategories")
        return Made(
            {
                **self._stamps(),
                "externalId": "" if serial % 37 == 5 else self._maybe(f"note-{serial}", 0.3),
                **self._parent(serial, given),
                "subject": self._phrase(),
                "note": self._html(),
                "noteDate": self._moments.created,
                "meetingDescription": self._maybe(self._phrase(), 0.1),
                "authorId": author,
                "author": self._world.copy_of("admins", author),
                "categoryId": category,
                "category": self._world.copy_of("noteCategories", category),
                "tags": ["onboarding", "🔥"][: serial % 3],
                "users": [],
                "source": self._source(),
                "archivedAt": self._archived(serial),
                "traits": self._traits() if serial % 4 == 1 else {},
            }
        )

    def _archived(self, serial: int) -> str | None:
        """When a row was deleted in the app: one in six was (API notes: ``archivedAt``)."""
        return (self._moments.updated or self._moments.created) if serial % 6 == 5 else None

    def _project(self, serial: int, given: Row) -> Made:
        parent = self._parent(serial, given)
        done = serial % 3 == 0
        return Made(
            {
                **self._stamps(),
                "name": f"{self._phrase()} {serial}",
                "accountId": parent["accountId"],
                "organizationId": parent["organizationId"],
                "templateId": self._maybe(self._any("projectTemplates")),
                "durationInDays": self._random.randrange(90),
                "targetStartDate": self._day(),
                "targetCompletionDate": self._day(),
                "actualStartDate": self._day(),
                "actualCompletionDate": self._past(1) if done else None,
                "ownedByVitallyUserId": self._any("admins"),
                "projectCategoryId": self._any("projectCategories"),
                "projectStatusId": self._random.choice(self._pools.project_statuses),
                "archivedAt": self._archived(serial),
                "traits": self._traits() if serial % 3 == 1 else {},
            }
        )

    def _meeting(self, serial: int, given: Row) -> Made:
        users, parents = self._company_people(given)
        all_day = serial % 8 == 1
        begin = datetime.fromisoformat(self._moments.created)
        source = self._source()
        note = self._maybe(self._any("notes"), 0.3)
        start, end = iso(begin), iso(begin + timedelta(hours=1))
        return Made(
            {
                **self._stamps(),
                "externalId": self._external_id("cal", serial),
                "title": self._phrase(),
                "description": self._maybe(self._html()),
                "location": self._maybe("Room 4 ½"),
                "startDate": start[:10] if all_day else None,
                "startDateTime": None if all_day else start,
                "startTimeZone": "utc",
                "endDate": end[:10] if all_day else None,
                "endDateTime": None if all_day else end,
                "endTimeZone": "Europe/Berlin",
                "externalStatus": self._random.choice(("confirmed", "cancelled", None)),
                "recordingUrl": self._maybe("https://www.example.com/recording", 0.3),
                "recordingUrlFormatted": None,
                "joiningInstructionsUri": None,
                "videoConferenceUri": self._maybe("https://www.example.com/join"),
                "phoneConferenceNumbers": [],
                "conferenceSolution": self._maybe("Example Meet"),
                "summary": self._maybe(self._phrase()),
                "keyPoints": [self._phrase() for _ in range(serial % 3)],
                "riskAssessment": self._maybe("low", 0.2),
                "source": source,
                "participants": self._participants(users),
                **self._world.linked("meetings", parents),
                "notes": [self._world.copy_without("notes", note, NOTE_DETAILS)] if note else [],
                "tasks": [],
                "traits": {},
                "archivedAt": self._archived(serial),
            }
        )

    def _participants(self, users: Sequence[str]) -> list[Row]:
        """Attendees of whom exactly one of the three ways to name them is filled in."""
        named: list[Row] = [
            {"vitallyUserId": self._any("admins")},
            *({"userId": user} for user in users),
            {"email": "guest@example.net"},
        ]
        return [
            {
                "id": new_id(self._random),
                **who,
                "type": "attendee" if i else "organizer",
                "responseStatus": self._random.choice(("accepted", "needsAction", "declined")),
                "isOrganizer": not i,
            }
            for i, who in enumerate(named)
        ]

    def _meeting_transcript(self, serial: int, given: Row) -> Made:
        """Meetings are recorded in the order they were created, at most once each."""
        meetings = self._world.tables["meetings"].ids
        meeting = given.pop("meetingId", meetings[serial] if serial < len(meetings) else None)
        return Made(
            {
                **self._stamps(),
                "meetingId": meeting,
                "transcript": [
                    {
                        "speaker": {
                            "externalId": f"speaker-{i}",
                            "email": self._maybe(f"speaker{i}@example.com"),
                            "name": self._random.choice(self._pools.first_names),
                        },
                        "sentences": [
                            {"text": self._phrase(), "startTime": 5.5 * i, "endTime": 5.5 * i + 5}
                        ],
                    }
                    for i in range(2)
                ],
            }
        )

    def _task(self, serial: int, given: Row) -> Made:
        assignee, category = self._maybe(self._any("admins"), 0.9), self._any("taskCategories")
        finisher = assignee if serial % 3 == 0 else None
        project = self._maybe(self._any("projects"), 0.3)
        return Made(
            {
                **self._stamps(),
                "externalId": self._maybe(f"task-{serial}", 0.3),
                **self._parent(serial, given),
                "name": self._phrase(),
                "description": self._maybe(self._html()),
                "dueDate": self._day(),
                "completedAt": self._past(1) if finisher else None,
                "completedById": finisher,
                "completedBy": self._world.copy_of("admins", finisher),
                "assignedToId": assignee,
                "assignedTo": self._world.copy_of("admins", assignee),
                "createdById": self._any("admins"),
                "categoryId": category,
                "category": self._world.copy_of("taskCategories", category),
                "projects": [self._world.copy_of("projects", project)] if project else [],
                "tags": ["renewal", "日本"][: serial % 3],
                "meetingId": self._maybe(self._any("meetings"), 0.1),
                "source": self._source(),
                "archivedAt": self._archived(serial),
                "traits": {},
            }
        )

    def _nps_response(self, serial: int, given: Row) -> Made:
        """A response's row names its user; whose score it counts for is only in the lists."""
        user = given.pop("userId", self._any("users"))
        row = self._world.tables["users"].rows[user] if user else {}
        parents: Links
        if "organizationId" in given:
            parents = ("organization", given.pop("organizationId"))
        elif "accountId" in given:
            parents = ("accounts", given.pop("accountId"))
        elif serial % 4 == 3 and row.get("organizations"):
            parents = ("organization", row["organizations"][0]["id"])
        else:
            parents = ("accounts", *(account["id"] for account in row.get("accounts", ())[:1]))
        score = self._maybe(self._random.randrange(11), 0.85)
        return Made(
            {
                **self._stamps(),
                "externalId": self._maybe(f"nps-{serial}", 0.3),
                "userId": user,
                "user": self._world.copy_without("users", user, USER_PARENTS),
                "score": score,
                "feedback": self._maybe(self._phrase()) if score is not None else None,
                "respondedAt": self._past(1) if score is not None else None,
                "dismissedAt": self._past(1) if score is None else None,
            },
            parents,
        )

    def _custom_object(self, serial: int, _given: Row) -> Made:
        name, label = CUSTOM_OBJECTS[serial % len(CUSTOM_OBJECTS)]
        return Made(
            {
                **self._stamps(),
                "name": name,
                "label": label,
                "syncActive": serial % 2 == 0,
                "writeMode": ("writable", "writableByAll", "readonly")[serial % 3],
                "customFields": [
                    {
                        "id": new_id(self._random),
                        "label": label,
                        "path": path,
                        "type": kind,
                        "createdAt": self._moments.created,
                    }
                    for label, path, kind, _options in CUSTOM_FIELDS
                ],
            }
        )

    def _custom_field(self, _serial: int, given: Row) -> Made:
        """A field's row has neither id nor model: the request has to remember which it was."""
        owner: str = given.pop("customObjectId", None) or given.pop("model", "accounts")
        return Made(
            {
                "label": self._phrase(),
                "path": f"vitally.custom.f{self._random.randrange(10**9)}",
                "type": "string",
                "createdAt": self._moments.created,
            },
            (owner,),
        )

    def _instance(self, serial: int, given: Row) -> Made:
        customers = given.pop("customerIds", None)
        if customers is None:
            drawn = [self._any("accounts") for _ in range(1 + serial % 2)] if serial % 9 else []
            customers = _unique(id_ for id_ in drawn if id_)
        organization = given.pop(
            "organizationId", None if serial % 5 else self._any("organizations")
        )
        return Made(
            {
                **self._stamps(),
                "name": f"{self._phrase()} {serial}",
                "externalId": self._external_id("inst", serial),
                "customObjectId": self._owner(given, "customObjectId", "customObjects"),
                "createdByVitallyUserId": self._any("admins"),
                "ownedByVitallyUserId": self._maybe(self._any("admins")),
                **self._world.linked(
                    "instances", {"customerIds": customers, "organizationId": organization}
                ),
                "descriptionBody": [{"children": [{"text": self._phrase()}]}],
                "traits": {**self._traits(), "state": self._random.choice(("open", "done"))},
                "archivedAt": self._archived(serial),
            }
        )

    def _survey(self, _serial: int, _given: Row) -> Made:
        return Made({"id": new_id(self._random)})

    def _survey_question(self, _serial: int, _given: Row) -> Made:
        return Made(
            {"id": new_id(self._random), "surveyId": None, "body": self._maybe(self._html())}
        )

    def _survey_response(self, serial: int, given: Row) -> Made:
        """The user goes by one of two spellings (API notes: custom surveys)."""
        survey = self._owner(given, "surveyId", "surveys")
        user = self._any("users")
        accounts = self._world.tables["users"].rows[user]["accounts"] if user else []
        return Made(
            {
                **self._stamps(),
                "surveyId": survey,
                "organizationId": None,
                "userID" if serial % 2 else "userId": user,
                "accountId": accounts[0]["id"] if accounts else None,
                "respondedAt": self._past(1),
                "questionResponses": [
                    {
                        "id": new_id(self._random),
                        "questionId": question,
                        "data": {"type": kind, "value": self._answer(kind)},
                    }
                    for question in self._world.tables["surveyQuestions"].listed(survey)
                    for kind in (self._world.tables["surveyQuestions"].rows[question]["type"],)
                ],
            }
        )

    def _answer(self, kind: str) -> Any:
        match kind:
            case "number":
                return self._random.randrange(11)
            case "array":
                return ["north", "wést"]
            case "date":
                return self._moments.created[:10]
            case _:
                return self._phrase()


def _moment(milliseconds: int) -> str:
    return iso(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _unique(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
