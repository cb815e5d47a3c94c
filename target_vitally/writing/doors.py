"""How the records of a resource are found, made, changed and deleted: the usual way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from target_vitally.planning.compare import Changes, as_shown, changes
from target_vitally.planning.fit import Fitted
from target_vitally.planning.links import with_present
from target_vitally.planning.plan import Plan
from target_vitally.planning.resource import Record, Resource
from target_vitally.writing.index import Index
from target_vitally.writing.references import References
from target_vitally.writing.wire import Declined, Wire, segment
from target_vitally.writing.work import Work

DOUBLE = frozenset({400, 409, 422})
LINKS = frozenset({"accountIds", "organizationIds"})


class Door:
    """The way in for one resource; those that go their own way replace parts of it."""

    asks = False
    """Whether to know what is present takes a request of its own."""

    def __init__(self, resource: Resource, references: References, wire: Wire) -> None:
        self.resource = resource
        self.references = references
        self.wire = wire
        self.pretended: set[str] = set()
        """Ids that must not be read anew, since a plan has to remember what it would have done."""

    def index(self, work: Work) -> Index:
        """Give the index that the record belongs into."""
        return self.references.index(self.resource.name, work.inside)

    def find(self, works: Sequence[Work]) -> None:
        """Make sure that what Vitally holds of these is known."""
        for index, by, mine in self._by_index(works):
            index.find(by, [work.key.value for work in mine if work.key])

    def present(self, work: Work) -> list[Record]:
        """Give the records that have the key."""
        return self.index(work).get(work.key.by, work.key.value) if work.key else []

    def again(self, works: Sequence[Work]) -> None:
        """Look once more for records whose writes may have been carried out; `present` has them then."""
        for index, by, mine in self._by_index(works):
            values = [work.key.value for work in mine if work.key]
            index.fresh(by, values, mine[0].tally if len(mine) == 1 else None)

    def in_parts(self, work: Work) -> bool:
        """Tell whether a create takes several requests, so that it may be there in part."""
        _ = work
        return self.asks

    def _by_index(self, works: Sequence[Work]) -> Iterator[tuple[Index, str, list[Work]]]:
        wanted: dict[tuple[int, str], tuple[Index, list[Work]]] = {}
        for work in works:
            if work.key and not _is_pretended(work):
                index = self.index(work)
                wanted.setdefault((id(index), work.key.by), (index, []))[1].append(work)
        for (_, by), (index, mine) in wanted.items():
            yield index, by, mine

    def lane(self, work: Work) -> str:
        """Name what must be written one after the other."""
        ids = self.index(work).ids(work.key.by, work.key.value) if work.key else ()
        if ids:
            return ids[0]
        return f"{work.key.by}:{work.key.value}" if work.key else f"row {work.last.number}"

    def in_turn(self, work: Work, other: Work) -> bool:
        """Tell whether one of two in a lane has to wait while nobody knows what became of the other."""
        _ = work, other
        return True

    def compare(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        traits: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Changes:
        """Find what a record does not say yet."""
        return changes(resource, body, traits, record)

    def create(self, work: Work, plan: Plan) -> Record:
        """Make the record."""
        answer = self.send(work, "POST", self.path(work), plan.body)
        return self.kept(work, answer, plan.body)

    def update(self, work: Work, plan: Plan) -> Record:
        """Change the record."""
        record = plan.record or {}
        answer = self.send(work, "PUT", self.path_of(work, record), plan.body)
        return self.kept(work, answer, plan.body, record)

    def delete(self, work: Work, record: Mapping[str, Any]) -> bool:
        """Delete the record; tell whether it was there."""
        query = {}
        if work.fitted.properties.get("deleteOn"):
            query = {"deleteOn": str(work.fitted.properties["deleteOn"])[:10]}
        there = self.remove(work, self.path_of(work, record), query)
        self.index(work).drop(str(record["id"]))
        return there

    def remove(self, work: Work, path: str, query: Mapping[str, str] | None = None) -> bool:
        """Send a delete; what is not there any more is deleted already, perhaps by the try before."""
        before = work.tally.retries
        try:
            self.wire.write("DELETE", path, self.label, None, query, work.tally)
        except Declined as declined:
            if declined.status not in {404, 410}:
                raise
            return work.tally.retries > before
        return True

    def send(self, work: Work, method: str, path: str, body: Any) -> Record:
        """Send a write of this resource."""
        return self.wire.write(method, path, self.label, body, None, work.tally)

    def kept(
        self, work: Work, answer: Record, sent: Mapping[str, Any], record: Record | None = None
    ) -> Record:
        """Take in what a record is after a write: what was there, what was sent, what was answered."""
        before = record or {}
        traits = {**_traits(before), **_traits(sent)}
        now = {**before, **self.shown(sent, before), "traits": traits}
        now |= answer
        if not now.get("id"):
            self.again([work])
            now |= next(iter(self.present(work)), {})
        self.index(work).put(now)
        return now

    def pretend(self, work: Work, plan: Plan, id_: str) -> Record:
        """Do as if it were written: what would be created counts as there, for the rows after it."""
        before = plan.record or {"id": id_}
        traits = {**_traits(before), **_traits(plan.body)}
        now = {**before, **self.shown(plan.body, before), "traits": traits}
        self.index(work).pretend(now)
        self.pretended.add(self.lane(work))
        return now

    def shown(self, sent: Mapping[str, Any], before: Mapping[str, Any]) -> Record:
        """Say what a record shows of what was sent, without its traits."""
        _ = before
        return as_shown(self.resource, sent)

    def path(self, work: Work) -> str:
        """Give the address of the list."""
        inside = {name: segment(value) for name, value in work.inside.items()}
        return self.resource.api.path.format(**inside)

    def path_of(self, work: Work, record: Mapping[str, Any]) -> str:
        """Give the address of a record, by Vitally's own id."""
        return f"{self.path(work)}/{segment(str(record['id']))}"

    @property
    def label(self) -> str:
        """What messages call the address."""
        return f"/resources{self.resource.api.path}"

    def untaken(self, resource: Resource, plan: Plan, now: Record) -> list[str]:
        """Name what was sent and is not what the answer says."""
        sent = {n: v for n, v in plan.body.items() if n != "traits" and not _templated(v)}
        return list(self.compare(resource, sent, _traits(plan.body), now))

    def is_double(self, declined: Declined) -> bool:
        """Tell whether a create was refused because there is such a record."""
        words = str(declined).lower()
        told = any(word in words for word in ("exist", "duplicate", "unique", "already"))
        return declined.status in DOUBLE and (declined.status == 409 or told)  # noqa: PLR2004

    def wanted(self, fitted: Fitted) -> list[Any]:
        """Name what else has to be looked up for a row."""
        _ = fitted
        return []


def with_body(plan: Plan, body: Record) -> Plan:
    """Give a plan that sends something else."""
    return Plan(plan.word, plan.reason, body, plan.record, plan.changes)


def _is_pretended(work: Work) -> bool:
    """In a dry run, what would lie inside something new cannot be there yet."""
    return any(value.startswith("new:") for value in work.inside.values())


def _traits(record: Mapping[str, Any]) -> Record:
    traits = record.get("traits")
    return dict(traits) if isinstance(traits, dict) else {}


def _templated(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


class UserDoor(Door):
    """Users, whose links may only be added to: nobody knows, so that the first answer tells."""

    def __init__(self, resource: Resource, references: References, wire: Wire) -> None:
        super().__init__(resource, references, wire)
        self.adds = False

    def compare(  # noqa: D102
        self,
        resource: Resource,
        body: Mapping[str, Any],
        traits: Mapping[str, Any],
        record: Mapping[str, Any],
    ) -> Changes:
        found = super().compare(resource, body, traits, record)
        if self.adds:
            for name in LINKS:
                if name in found and set(found[name][1] or ()) <= set(found[name][0] or ()):
                    del found[name]
        return found

    def untaken(self, resource: Resource, plan: Plan, now: Record) -> list[str]:  # noqa: D102
        links = {name: ids for name, ids in plan.body.items() if name in LINKS}
        kept = changes(resource, links, {}, now)
        return [*dict.fromkeys((*super().untaken(resource, plan, now), *kept))]

    def update(self, work: Work, plan: Plan) -> Record:  # noqa: D102
        if not work.exact and not LINKS.isdisjoint(plan.body):
            # What was linked since the list was read would be unlinked by a PUT that replaces.
            id_, index = str((plan.record or {}).get("id")), self.index(work)
            index.fresh("id", [id_], work.tally)
            for present in index.get("id", id_):
                plan = with_body(plan, with_present(self.resource, plan.body, present))
        now = super().update(work, plan)
        for name, shown in (("accountIds", "accounts"), ("organizationIds", "organizations")):
            sent = plan.body.get(name)
            linked = {item.get("id") for item in now.get(shown) or () if isinstance(item, dict)}
            if sent is not None and linked > set(sent):
                self.adds = True
        return now
