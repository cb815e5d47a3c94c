"""External ids, e-mails and names become Vitally's ids: looked up once in a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from target_vitally.mapping.parse_row import RecordRef
from target_vitally.mapping.resource import Property, Record, Resource
from target_vitally.pipeline.index import Index, LookupFailed, Spread
from target_vitally.pipeline.wire import Wire, segment
from vitally_api.resources import LISTS

NAME = Property("name")


def _names(name: str) -> Resource:
    return Resource(name, LISTS[name], 0, (NAME,), key="name", keys=("id", "name"))


LOOKED_UP: Mapping[str, Resource] = {
    "admins": Resource(
        "admins",
        LISTS["admins"],
        0,
        (NAME, Property("email")),
        key="email",
        keys=("id", "email"),
    ),
    "note_categories": _names("note_categories"),
    "task_categories": _names("task_categories"),
    "project_categories": _names("project_categories"),
    "project_templates": _names("project_templates"),
}
"""What rows refer to and only the app edits: it cannot come with the input."""


class Unresolved(Exception):
    """A record that a row refers to is not there, is there several times, or cannot be looked up.

    ``count`` is how many there are, 0 only where it is known that there is none.
    """

    def __init__(self, named: RecordRef, count: int = 0, why: str = "") -> None:
        what = {"source": "id"}.get(named.by, named.by)
        kind = named.resource.replace("_", " ")
        found = f"{count} of the {kind} have" if count else f"none of the {kind} has"
        super().__init__(why or f"{found} the {what} that it names")
        self.named = named
        self.count = -1 if why else count


class References:
    """Finds the records that rows name; shares what is known of them with who writes them."""

    def __init__(
        self, wire: Wire, resources: Mapping[str, Resource], map_concurrently: Spread
    ) -> None:
        self._wire = wire
        self._resources = {**LOOKED_UP, **resources}
        self.map_concurrently = map_concurrently
        self._indexes: dict[tuple[str, str], Index] = {}
        self._traits: dict[str, set[str] | None] = {}
        self._sources: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def index(self, resource: str, inside: Mapping[str, str] | None = None) -> Index:
        """Give the index of a resource; ``inside`` has the ids that its path takes."""
        declared = self._resources[resource]
        path = declared.api.path.format(**{n: segment(v) for n, v in (inside or {}).items()})
        with self._lock:
            if (resource, path) not in self._indexes:
                made = Index(self._wire, declared, path, self.map_concurrently)
                made.want(self._traits.get(resource, set()))
                self._indexes[resource, path] = made
            return self._indexes[resource, path]

    def want(self, resource: str, traits: set[str] | None) -> None:
        """Keep these traits of the resource's records, or all of them."""
        so_far = self._traits.get(resource, set())
        self._traits[resource] = None if traits is None or so_far is None else so_far | traits
        for (name, _), index in self._indexes.items():
            if name == resource:
                index.want(self._traits[resource])

    def remember_source(self, resource: str, id_: str, key: str) -> None:
        """Keep what a record of the input was called where it came from."""
        self._sources[resource, id_] = key

    def can_come(self, named: RecordRef) -> bool:
        """Tell whether a record that is not there may still come with the input."""
        return named.by == "source" or (named.resource not in LOOKED_UP and named.by != "id")

    def prefetch(self, names: Iterable[RecordRef]) -> None:
        """Look up many at once."""
        wanted: dict[tuple[str, str], set[str]] = {}
        for named in names:
            known = self._known(named)
            if known and known.by != "id":
                wanted.setdefault((known.resource, known.by), set()).add(known.value)
        for (resource, by), values in wanted.items():
            self.index(resource).find(by, values)

    def resolve(self, named: RecordRef) -> str:
        """Give the id of a record that was looked up; `Unresolved` is raised where there is not one."""
        known = self._known(named)
        if known is None:
            raise Unresolved(named)
        if known.by == "id":
            return known.value
        try:
            found = self.index(known.resource).get(known.by, known.value)
        except LookupFailed as failed:
            raise Unresolved(known, why=str(failed)) from None
        if len(found) != 1:
            raise Unresolved(named, len(found))
        return str(found[0]["id"])

    def spelled(self, email: str) -> str:
        """Return a user's e-mail as Vitally has it, or as it is given where there is no such user."""
        try:
            id_ = self.resolve(RecordRef("users", "email", email))
            return str(self.index("users").get("id", id_)[0]["email"])
        except (Unresolved, LookupFailed):
            return email

    def _known(self, named: RecordRef) -> RecordRef | None:
        """Replace an id of the workspace that rows came from by what its record is known by."""
        if named.by != "source":
            return named
        key = self._sources.get((named.resource, named.value))
        by = self._resources[named.resource].key
        return replace(named, by=by, value=key) if key and by else None


def people_named(people: Iterable[Record], *, copy: bool) -> list[RecordRef]:
    """Say what has to be looked up for people in a row."""
    return [named for person in people for named in _candidates(person, copy=copy)]


def _candidates(person: Record, *, copy: bool) -> list[RecordRef]:
    kinds = {"admin": ("admins",), "user": ("users",)}.get(
        str(person.get("type")), ("admins", "users")
    )
    if person.get("externalId"):
        return [RecordRef("users", "externalId", str(person["externalId"]))]
    if person.get("email"):
        return [RecordRef(kind, "email", str(person["email"])) for kind in kinds]
    if person.get("id") and copy:
        return [RecordRef(kind, "source", str(person["id"])) for kind in kinds]
    return []


def as_sender(person: Record, resolve: Callable[[RecordRef], str], *, copy: bool) -> Record:
    """Write a person as messages take it: ``{type, id}``; raise `Unresolved` for nobody known."""
    candidates = _candidates(person, copy=copy)
    if not candidates:
        return {"type": person.get("type") or "user", "id": person.get("id")}
    missing: Unresolved | None = None
    for named in candidates:
        try:
            found = resolve(named)
        except Unresolved as unresolved:
            missing = missing if missing and missing.count else unresolved
        else:
            return {"type": "admin" if named.resource == "admins" else "user", "id": found}
    raise missing or Unresolved(candidates[0])


def as_participant(person: Record, references: References, *, copy: bool) -> Record:
    """Write a person as meetings take it: one of ``userId``, ``vitallyUserId`` and ``email``."""
    resolve = references.resolve
    more = {
        name: person[name]
        for name in ("type", "responseStatus", "isOrganizer")
        if person.get(name) is not None
    }
    if more.get("type") not in {"organizer", "attendee"}:
        more["type"] = "organizer" if person.get("isOrganizer") else "attendee"
    email = person.get("email")
    if email:
        try:
            return {"vitallyUserId": resolve(RecordRef("admins", "email", str(email))), **more}
        except Unresolved:
            return {"email": references.spelled(str(email)), **more}
    for name in ("vitallyUserId", "userId"):
        if person.get(name) and not copy:
            return {name: str(person[name]), **more}
    given = {n: v for n, v in person.items() if n != "type" or not _is_role(person)}
    if copy:
        ids = [person.get("vitallyUserId"), person.get("userId"), person.get("id")]
        given["id"] = next((i for i in ids if i), None)
    sender = as_sender(given, resolve, copy=copy)
    name = "vitallyUserId" if sender["type"] == "admin" else "userId"
    return {name: sender["id"], **more}


def participants_named(people: Iterable[Record], *, copy: bool) -> list[RecordRef]:
    """Say what has to be looked up for the people of a meeting."""
    names: list[RecordRef] = []
    for person in people:
        plain = {k: v for k, v in person.items() if k != "type"} if _is_role(person) else person
        if person.get("email"):
            names += [
                RecordRef(kind, "email", str(person["email"])) for kind in ("admins", "users")
            ]
        else:
            names += _candidates(plain, copy=copy)
    return names


def _is_role(person: Mapping[str, Any]) -> bool:
    return person.get("type") in {"organizer", "attendee"}
