"""The Analytics API: messages are accepted now and applied later (API notes: writing, 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Any, Final

import msgspec

from sandbox.clock import iso
from sandbox.pages import NOT_FOUND, Plain, RefusedError
from sandbox.table import Row
from sandbox.world import World
from sandbox.writing.bodies import read_body
from sandbox.writing.store import Store, count_links
from sandbox.writing.switches import Writing
from sandbox.writing.write_schema import problem, refusal

MOST_BYTES: Final = 500_000
ACCEPTED: Final = Plain({"message": "Success."})
PARENTS: Final = ("accountId", "organizationId")
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "organization": ("organizationId", "traits"),
    "account": ("accountId", "traits"),
    "user": ("userId", "traits"),
    "track": ("event", "properties"),
    "unlink": ("userId", "accountId"),
    "customobjectinstance": ("externalId", "customObjectId", "traits"),
}
"""What a message of each type has to have."""
ONE_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "user": PARENTS,
    "track": ("userId", *PARENTS),
    "customobjectinstance": PARENTS,
}
"""... and of what it has to have one."""
NAMED: Final = frozenset({"organization", "account"})
"""Types whose traits have to have a name."""
RESERVED: Final = {"name": "name", "email": "email", "avatar": "avatar", "createdAt": "joinDate"}
"""Traits of users that are properties."""
TABLES: Final = {"userId": "users", "accountId": "accounts", "organizationId": "organizations"}


class Analytics:
    """Answers what is posted below ``/analytics/v1``."""

    def __init__(self, world: World, store: Store) -> None:
        self.events: list[Row] = []
        """What has been tracked and applied, each with ``known``: False where nobody is who it names."""
        self._world = world
        self._store = store
        self._seen: set[str] = set()
        self._random = Random("messages")
        self._encode = msgspec.json.Encoder(decimal_format="number").encode

    @property
    def _switches(self) -> Writing:
        return self._store.switches

    def post(self, path: Sequence[str], body: bytes) -> Plain:
        """Answer a request for decoded segments below ``/analytics``."""
        try:
            with self._world.lock:
                return self._post(path, body)
        except RefusedError as refused:
            return refused.answer

    def _post(self, path: Sequence[str], body: bytes) -> Plain:
        match path:
            case ["v1", endpoint] if endpoint == "batch" or endpoint in REQUIRED:
                document = read_body(body, doubles=self._switches.doubles)
            case _:
                return NOT_FOUND
        if len(body) > MOST_BYTES:
            return Plain({"error": "Request entity too large"}, 413)
        messages = document if endpoint == "batch" else [{**_object(document), "type": endpoint}]
        if not isinstance(messages, list):
            return _refused("must be array")
        if len(messages) > self._switches.analytics_most:
            return _refused(f"must NOT have more than {self._switches.analytics_most} items")
        for message in messages:
            self._check(message)
        self._accept(messages)
        return ACCEPTED

    def _check(self, message: Any) -> None:
        """Refuse the whole request for one message; nobody is told which."""
        kind = str(_object(message).get("type"))
        if kind not in REQUIRED:
            raise RefusedError(_refused("must be a known type"))
        for name in {"traits", "properties"} & message.keys():
            _object(message[name])
        if kind in self._switches.analytics_blocked:
            raise RefusedError(Plain({"error": f"Messages of type {kind} are blocked"}, 400))
        poison = self._switches.analytics_poison
        if poison and poison.encode() in self._encode(message):
            raise RefusedError(_refused("must not be that"))
        for name in _lacking(kind, message):
            raise RefusedError(_refused(f"must have required property '{name}'"))
        for name in (*TABLES, "externalId", "messageId"):
            if not isinstance(message.get(name), str | None):
                raise RefusedError(_refused(f"{name} must be string"))

    def _accept(self, messages: Sequence[Row]) -> None:
        """Put off what is to be applied, each message once."""
        switches, kept = self._switches, []
        for message in messages:
            id_ = message.get("messageId") or self._encode(message).decode()
            if id_ in self._seen and switches.analytics_repeated == "drop":
                continue
            self._seen.add(id_)
            if self._random.random() >= switches.analytics_drops:
                kept.append(message)
        now = self._world.clock.now()
        moment = now + timedelta(seconds=switches.analytics_delay)
        if switches.analytics_order == "shuffled":
            self._random.shuffle(kept)
            for message in kept:
                more = timedelta(seconds=self._random.random() * switches.analytics_delay)
                self._store.put_off(moment + more, self._applying([message], iso(now)))
        else:
            self._store.put_off(moment, self._applying(kept, iso(now)))
        self._store.catch_up()

    def _applying(self, messages: Sequence[Row], accepted: str) -> Callable[[], None]:
        def apply() -> None:
            keys = _Keys(self._world)
            for message in messages:
                with suppress(RefusedError):  # by a switch of what traits there may be
                    self._apply(message, keys, accepted)

        return apply

    def _apply(self, message: Row, keys: _Keys, accepted: str) -> None:
        match message["type"]:
            case "organization":
                fields = self._fields(message["traits"], ("name",))
                self._upsert("organizations", message["organizationId"], fields, keys, accepted)
            case "account":
                fields = self._fields(message["traits"], ("name",))
                if id_ := self._parent(message, "organizationId", keys):
                    fields["organizationId"] = id_
                self._upsert("accounts", message["accountId"], fields, keys, accepted)
            case "user":
                self._user(message, keys, accepted)
            case "unlink":
                self._unlink(message, keys, accepted)
            case "customobjectinstance":
                self._instance(message, keys, accepted)
            case "track":
                named = {name: message[name] for name in TABLES if message.get(name)}
                known = all(keys.of(TABLES[name]).get(id_) for name, id_ in named.items())
                self.events.append({**message, "known": known})

    def _fields(self, traits: Row, reserved: Sequence[str]) -> Row:
        """Part properties from traits; whether a null empties one is not documented."""
        if self._switches.analytics_nulls == "keep":
            traits = {name: value for name, value in traits.items() if value is not None}
        fields = {RESERVED[name]: traits[name] for name in reserved if name in traits}
        return {**fields, "traits": {n: v for n, v in traits.items() if n not in reserved}}

    def _parent(self, message: Row, name: str, keys: _Keys) -> str | None:
        """Return the id of what a message names; what is not there is made up."""
        external = message.get(name)
        if not external:
            return None
        table = TABLES[name]
        key = keys.of(table).get(external)
        if key is None and self._switches.analytics_unknown_parents == "create":
            key = self._store.insert(table, {"externalId": external, "name": external})
            keys.of(table)[external] = key
        return key

    def _upsert(
        self, resource: str, external: str, fields: Row, keys: _Keys, accepted: str
    ) -> None:
        key = keys.of(resource).get(external)
        if key:
            self._store.change(resource, key, fields)
        else:
            key = self._store.insert(resource, {"externalId": external, **fields})
            keys.of(resource)[external] = key
        self._stamp(resource, key, accepted)

    def _user(self, message: Row, keys: _Keys, accepted: str) -> None:
        fields = self._fields(message["traits"], tuple(RESERVED))
        key = keys.of("users").get(message["userId"])
        row = self._world.row("users", key) if key else {}
        for name, displayed in (("accountIds", "accounts"), ("organizationIds", "organizations")):
            linked = [parent["id"] for parent in row.get(displayed, ())]
            named = self._parent(message, name.removesuffix("s"), keys)
            fields[name] = list(dict.fromkeys([*linked, *([named] if named else [])]))
        self._upsert("users", message["userId"], fields, keys, accepted)

    def _unlink(self, message: Row, keys: _Keys, accepted: str) -> None:
        user = keys.of("users").get(message["userId"])
        account = keys.of("accounts").get(message["accountId"])
        if user is None or account is None:
            return
        linked = [parent["id"] for parent in self._world.row("users", user)["accounts"]]
        if account in linked:
            count_links(self._world, "accounts", "usersCount", [account], -1)
            linked.remove(account)
            self._world.update("users", user, accountIds=linked)
            self._stamp("users", user, accepted)

    def _instance(self, message: Row, keys: _Keys, accepted: str) -> None:
        owner = message["customObjectId"]
        if owner not in self._world.tables["customObjects"].rows:
            return
        table = self._world.tables["instances"]
        same = (
            key
            for key in table.listed(owner)
            if table.rows[key]["externalId"] == message["externalId"]
        )
        key = next(same, None)
        fields = self._fields(message["traits"], ())
        if message.get("name"):
            fields["name"] = message["name"]
        for name, prop in (("organizationId", "organizationId"), ("accountId", "customerId")):
            if id_ := self._parent(message, name, keys):
                fields[prop] = id_
        if key:
            self._store.change("instances", key, fields)
        else:
            new = {"externalId": message["externalId"], "customObjectId": owner, **fields}
            key = self._store.insert("instances", new)
        self._stamp("instances", key, accepted)

    def _stamp(self, resource: str, key: str, accepted: str) -> None:
        if self._switches.analytics_stamp == "accepted":
            row = self._world.row(resource, key)
            self._world.rows.put(resource, key, {**row, "updatedAt": accepted})


class _Keys:
    """Ids by external ids, sorted once for many messages."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._found: dict[str, dict[str, str]] = {}

    def of(self, resource: str) -> dict[str, str]:
        if resource not in self._found:
            rows = self._world.tables[resource].rows
            self._found[resource] = {
                row["externalId"]: key for key, row in rows.items() if row["externalId"]
            }
        return self._found[resource]


def _lacking(kind: str, message: Row) -> Iterator[str]:
    """Yield what a message of a type has to have and has not."""
    yield from (name for name in REQUIRED[kind] if message.get(name) is None)
    if kind in NAMED and not message["traits"].get("name"):
        yield "traits/name"
    choices = ONE_OF.get(kind, ())
    if choices and not any(message.get(name) for name in choices):
        yield choices[0]
    if not (message.get("messageId") or message.get("timestamp")):
        yield "messageId"


def _object(message: Any) -> Row:
    if not isinstance(message, dict):
        raise RefusedError(_refused("must be object"))
    return message


def _refused(message: str) -> Plain:
    return refusal([problem("", "batch", message)])
