"""Puts what a client wrote into the world, with all that Vitally does beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sandbox.clock import iso
from sandbox.pages import NOT_FOUND, Plain, RefusedError
from sandbox.resources import DATA_MODELS
from sandbox.table import Row
from sandbox.world import World
from sandbox.writing.html import filled, stripped
from sandbox.writing.switches import Writing
from sandbox.writing.write_schema import WRITE_SCHEMAS, problem, problems, refusal

ARCHIVING: Final = frozenset({"instances", "meetings", "notes", "projects", "tasks"})
"""Resources whose rows are archived in place of deleted."""

HTML_FIELDS: Final = frozenset({"note", "description", "message"})

EMBEDDED: Final = {
    "authorId": ("author", "admins"),
    "assignedToId": ("assignedTo", "admins"),
    "completedById": ("completedBy", "admins"),
}
"""Links whose row is shown in whole beside them."""

CATEGORIES: Final = {"notes": "noteCategories", "tasks": "taskCategories"}

PARENTS: Final = (("accountIds", "accounts"), ("organizationIds", "organizations"))


class Store:
    """The world as the write routes see it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.switches = Writing()
        self._due: list[tuple[datetime, Callable[[], object]]] = []

    def catch_up(self) -> None:
        """Do what was put off, as far as its time has come by the sandbox's clock."""
        now = self.world.clock.now()
        due = [put_off for put_off in self._due if put_off[0] <= now]
        self._due = [put_off for put_off in self._due if put_off[0] > now]
        for _, act in sorted(due, key=lambda put_off: put_off[0]):
            act()

    def put_off(self, moment: datetime, act: Callable[[], object]) -> None:
        """Do something when its moment has come."""
        self._due.append((moment, act))

    def later(self, moment: datetime, resource: str, key: str, act: Callable[[], object]) -> None:
        """Put off what is to be done with a row, which may be gone by then."""
        rows = self.world.tables[resource].rows
        self.put_off(moment, lambda: act() if key in rows else None)

    def find(self, resource: str, name: str, *, external: bool) -> str:
        """Find a row by its id or, where the route takes one, by its external id."""
        rows = self.world.tables[resource].rows
        if name in rows:
            return name
        if external and name:
            for key, row in rows.items():
                if row["externalId"] == name:
                    return key
        raise RefusedError(NOT_FOUND)

    def checked(self, resource: str, body: Any, *, creating: bool) -> Row:
        """Return what is to be written of a body, or refuse the body."""
        found = problems(
            resource,
            body,
            creating=creating,
            extra=self.switches.extra == "refuse",
            known=lambda kind, id_: self._known(resource, kind, id_, creating=creating),
        )
        if found:
            raise RefusedError(refusal(found if self.switches.all_errors else found[:1]))
        taken = WRITE_SCHEMAS[resource]
        fixed = () if creating else taken.create_only
        kept = {name: body[name] for name in taken.all if name in body and name not in fixed}
        return {name: self._as_kept(name, taken.all[name], kept[name]) for name in kept}

    def post(self, resource: str, fields: Row, among: Iterable[str] | None = None) -> str:
        """Write a new row, or do what a POST does on a known external id; ``among`` are the rows."""
        known = self._holder(resource, fields.get("externalId"), among)
        if known is None:
            return self.insert(resource, fields)
        archived = self.world.row(resource, known).get("archivedAt")
        does = self.switches.on_archived if archived else self.switches.known(resource)
        if does in ("409", "400"):
            raise RefusedError(Plain({"error": "externalId already exists"}, int(does)))
        if does in ("duplicate", "new"):
            return self.insert(resource, fields)
        if does == "revive":
            self.world.unarchive(resource, known)
        return self.change(resource, known, fields)

    def insert(self, resource: str, fields: Row) -> str:
        """Add a row, and let those it belongs to show it."""
        fields = self._as_shown(resource, {**self._links(resource, fields), **fields}, {})
        if resource == "users":
            count_links(self.world, "accounts", "usersCount", fields["accountIds"], 1)
            count_links(self.world, "organizations", "usersCount", fields["organizationIds"], 1)
            fields.setdefault("joinDate", iso(self.world.clock.now()))
        if resource == "accounts" and fields["organizationId"]:
            count_links(self.world, "organizations", "accountsCount", [fields["organizationId"]], 1)
        if resource == "notes":
            for parents, id_ in (
                ("accounts", fields["accountId"]),
                ("organizations", fields["organizationId"]),
            ):
                if id_:
                    self.world.update(parents, id_)
        key: str = self.world.write(resource, **fields)["id"]
        if resource == "accounts" and self.switches.touched_after is not None:
            moment = self.world.clock.now() + timedelta(seconds=self.switches.touched_after)
            self.later(moment, resource, key, lambda: self.world.update(resource, key))
        return key

    def change(self, resource: str, key: str, fields: Row) -> str:
        """Change a row in part."""
        row = self.world.row(resource, key)
        fields = self._as_shown(resource, fields, row)
        if resource in CATEGORIES and self.switches.absent_tags == "drop":
            fields.setdefault("tags", [])
        if resource == "users":
            self._relink(fields, row)
        if resource == "instances" and "customerId" in fields:
            customer = fields.pop("customerId")
            fields["customerIds"] = [customer] if customer else []
        self.world.update(resource, key, **fields)
        return key

    def remove(self, resource: str, key: str) -> None:
        """Archive a row where Vitally does, or delete it for good with what was its alone."""
        if resource in ARCHIVING:
            self.world.archive(resource, key)
            return
        if resource in ("accounts", "organizations"):
            for name in ("notes", "tasks", "projects"):
                for child in self.world.tables[name].listed(key):
                    self.world.delete(name, child)
            for user in self.world.tables["users"].listed(key):
                if len(self.world.tables["users"].links(user)) == 1:
                    self.world.delete("users", user)
        if resource == "users":
            for _, parents in PARENTS:
                ids = [parent["id"] for parent in self.world.row("users", key)[parents]]
                count_links(self.world, parents, "usersCount", ids, -1)
        self.world.delete(resource, key)

    def remove_user(self, key: str, day: str | None) -> None:
        """Delete a user now, or on a day to come."""
        if day is None and self.switches.users_deleted == "now":
            self.remove("users", key)
            return
        moment = self.world.clock.now() + timedelta(days=1)
        if day is not None:
            try:
                moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
            except ValueError:
                error = problem("/deleteOn", "format", 'must match format "date"')
                raise RefusedError(refusal([error])) from None
        self.world.update("users", key)
        self.later(moment, "users", key, lambda: self.remove("users", key))

    def _known(self, resource: str, kind: str, id_: str, *, creating: bool) -> bool:
        rows = self.world.tables[kind].rows
        if id_ in rows:
            return True
        # The one place where a body may name what it means by external id.
        moving = resource == "accounts" and kind == "organizations" and not creating
        return moving and any(row["externalId"] == id_ for row in rows.values())

    def _holder(
        self, resource: str, external: str | None, among: Iterable[str] | None
    ) -> str | None:
        """Find the row with an external id, one that is not archived first."""
        if external is None:
            return None
        rows = self.world.tables[resource].rows
        keys = rows if among is None else among
        found = [key for key in keys if rows[key]["externalId"] == external]
        return min(found, key=lambda key: bool(rows[key].get("archivedAt")), default=None)

    def _as_kept(self, name: str, kind: str, value: Any) -> Any:
        """Write a value the way Vitally shows it."""
        if value is None:
            return None
        if kind == "date-time":
            moment = datetime.fromisoformat(value)
            return iso(moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC))
        if name in HTML_FIELDS and self.switches.strip_html:
            return stripped(value)
        return value

    def _links(self, resource: str, fields: Row) -> Row:
        """Return None for each link that a new row may have, so that no link is drawn at random."""
        links: Mapping[str, Row] = {
            "accounts": {"organizationId": None},
            "users": {"accountIds": [], "organizationIds": []},
            "instances": {"customerIds": [], "organizationId": None},
            "meetings": {"accountIds": [], "organizationIds": [], "userIds": []},
            "conversations": {
                "accountIds": [],
                "organizationIds": [],
                "userIds": [],
                "adminIds": [],
            },
        }
        parents = {"accountId": None, "organizationId": None}
        if resource == "instances" and fields.get("customerId"):
            return {"customerIds": [fields.pop("customerId")], "organizationId": None}
        return dict(
            links.get(resource, parents if resource in ("notes", "tasks", "projects") else {})
        )

    def _as_shown(self, resource: str, fields: Row, row: Row) -> Row:
        """Add what a row shows beside what was written: merged traits, rows in whole, text filled."""
        observed = dict(fields)
        if "traits" in fields:
            observed["traits"] = self._traits(resource, fields["traits"] or {}, row)
        if row and fields.get("organizationId") and resource == "accounts":
            observed["organizationId"] = self.find(
                "organizations", fields["organizationId"], external=True
            )
        embedded = dict(EMBEDDED)
        if resource in CATEGORIES:
            embedded["categoryId"] = ("category", CATEGORIES[resource])
        for name, (whole, of) in embedded.items():
            if name in fields:
                observed[whole] = self.world.rows.copy_of(of, fields[name])
        if fields.get("note") and self.switches.fill_braces:
            parents = {**row, **fields}
            observed["note"] = filled(
                fields["note"],
                lambda kind: (
                    self.world.rows.copy_of(f"{kind}s", parents.get(f"{kind}Id")) or {}
                ).get("traits", {}),
            )
        return observed

    def _traits(self, resource: str, given: Row, row: Row) -> Row:
        """Merge traits into those that a row has; null takes one away."""
        model = row.get("customObjectId", resource)
        if self.switches.unknown_traits != "store" and model in {*DATA_MODELS, "instances"}:
            fields = self.world.tables["customFields"]
            known = {fields.rows[key]["path"] for key in fields.listed(model)}
            strange = {
                path for path in given if path.startswith("vitally.custom.") and path not in known
            }
            if strange and self.switches.unknown_traits == "refuse":
                errors = [problem("/traits", "unknown", f"unknown trait: {p}") for p in strange]
                raise RefusedError(refusal(errors))
            given = {path: value for path, value in given.items() if path not in strange}
        if self.switches.typed_traits:
            fields = self.world.tables["customFields"]
            kinds = {fields.rows[k]["path"]: fields.rows[k]["type"] for k in fields.listed(model)}
            given = {path: _typed(kinds.get(path), value) for path, value in given.items()}
        merged = {**row.get("traits", {}), **given}
        return {path: value for path, value in merged.items() if value is not None}

    def _relink(self, fields: Row, row: Row) -> None:
        """Replace or add to what a user belongs to, and keep the counts right."""
        for name, parents in PARENTS:
            if fields.get(name) is None:
                fields.pop(name, None)
                continue
            before = [parent["id"] for parent in row[parents]]
            after = fields[name]
            if self.switches.links == "add":
                after = fields[name] = list(dict.fromkeys([*before, *after]))
            count_links(
                self.world, parents, "usersCount", [id_ for id_ in after if id_ not in before], 1
            )
            count_links(
                self.world, parents, "usersCount", [id_ for id_ in before if id_ not in after], -1
            )


def count_links(
    world: World, resource: str, field: str, ids: Iterable[str] | None, by: int
) -> None:
    """Change how many users or accounts rows say that they have."""
    for id_ in ids or ():
        world.update(resource, id_, **{field: max(0, world.row(resource, id_)[field] + by)})


def _typed(kind: str | None, value: Any) -> Any:
    """Keep a trait as a service may that knows the type of its field."""
    if kind in {"date", "datetime"} and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return iso(moment.astimezone(UTC))
    return sorted(value) if kind == "multiselect" and isinstance(value, list) else value
