"""How the records of a resource are found, made, changed and deleted: the usual way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from target_vitally.mapping.compare import Changes, as_displayed, changes
from target_vitally.mapping.links import with_present
from target_vitally.mapping.parse_row import ParsedRow
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.resource import Record, Resource
from target_vitally.pipeline.index import Index
from target_vitally.pipeline.references import References
from target_vitally.pipeline.wire import Wire, WriteRejected, segment
from target_vitally.pipeline.work import PendingWrite

DOUBLE = frozenset({400, 409, 422})
LINKS = frozenset({"accountIds", "organizationIds"})


class ResourceWriter:
    """The way in for one resource; those that go their own way replace parts of it."""

    asks = False
    """Whether to know what is present takes a request of its own."""

    def __init__(self, resource: Resource, references: References, wire: Wire) -> None:
        self.resource = resource
        self.references = references
        self.wire = wire
        self.simulated: set[str] = set()
        """Ids that must not be read anew, since a plan has to remember what it would have done."""

    def index(self, write_: PendingWrite) -> Index:
        """Give the index that the record belongs into."""
        return self.references.index(self.resource.name, write_.inside)

    def find(self, writes: Sequence[PendingWrite]) -> None:
        """Make sure that what Vitally holds of these is known."""
        for index, by, mine in self._by_index(writes):
            index.find(by, [write_.key.value for write_ in mine if write_.key])

    def present(self, write_: PendingWrite) -> list[Record]:
        """Give the records that have the key."""
        return self.index(write_).get(write_.key.by, write_.key.value) if write_.key else []

    def again(self, writes: Sequence[PendingWrite]) -> None:
        """Look once more for records whose writes may have been carried out; `present` has them then."""
        for index, by, mine in self._by_index(writes):
            values = [write_.key.value for write_ in mine if write_.key]
            index.fresh(by, values, mine[0].metrics if len(mine) == 1 else None)

    def in_parts(self, write_: PendingWrite) -> bool:
        """Tell whether a create takes several requests, so that it may be there in part."""
        _ = write_
        return self.asks

    def _by_index(
        self, writes: Sequence[PendingWrite]
    ) -> Iterator[tuple[Index, str, list[PendingWrite]]]:
        wanted: dict[tuple[int, str], tuple[Index, list[PendingWrite]]] = {}
        for write_ in writes:
            if write_.key and not _is_simulated(write_):
                index = self.index(write_)
                wanted.setdefault((id(index), write_.key.by), (index, []))[1].append(write_)
        for (_, by), (index, mine) in wanted.items():
            yield index, by, mine

    def queue(self, write_: PendingWrite) -> str:
        """Name what must be written one after the other."""
        ids = self.index(write_).ids(write_.key.by, write_.key.value) if write_.key else ()
        if ids:
            return ids[0]
        return f"{write_.key.by}:{write_.key.value}" if write_.key else f"row {write_.last.number}"

    def in_turn(self, write_: PendingWrite, other: PendingWrite) -> bool:
        """Tell whether one of two in a lane has to wait while nobody knows what became of the other."""
        _ = write_, other
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

    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        """Make the record."""
        answer = self.send(write_, "POST", self.path(write_), plan.body)
        return self.kept(write_, answer, plan.body)

    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        """Change the record."""
        record = plan.record or {}
        answer = self.send(write_, "PUT", self.path_of(write_, record), plan.body)
        return self.kept(write_, answer, plan.body, record)

    def delete(self, write_: PendingWrite, record: Mapping[str, Any]) -> bool:
        """Delete the record; tell whether it was there."""
        query = {}
        if write_.parsed.properties.get("deleteOn"):
            query = {"deleteOn": str(write_.parsed.properties["deleteOn"])[:10]}
        there = self.remove(write_, self.path_of(write_, record), query)
        self.index(write_).drop(str(record["id"]))
        return there

    def remove(
        self, write_: PendingWrite, path: str, query: Mapping[str, str] | None = None
    ) -> bool:
        """Send a delete; what is not there any more is deleted already, perhaps by the try before."""
        before = write_.metrics.retries
        try:
            self.wire.write("DELETE", path, self.label, None, query, write_.metrics)
        except WriteRejected as declined:
            if declined.status not in {404, 410}:
                raise
            return write_.metrics.retries > before
        return True

    def send(self, write_: PendingWrite, method: str, path: str, body: Any) -> Record:
        """Send a write of this resource."""
        return self.wire.write(method, path, self.label, body, None, write_.metrics)

    def kept(
        self,
        write_: PendingWrite,
        answer: Record,
        sent: Mapping[str, Any],
        record: Record | None = None,
    ) -> Record:
        """Take in what a record is after a write: what was there, what was sent, what was answered."""
        before = record or {}
        traits = {**_traits(before), **_traits(sent)}
        now = {**before, **self.displayed(sent, before), "traits": traits}
        now |= answer
        if not now.get("id"):
            self.again([write_])
            now |= next(iter(self.present(write_)), {})
        self.index(write_).put(now)
        return now

    def simulate(self, write_: PendingWrite, plan: Plan, id_: str) -> Record:
        """Do as if it were written: what would be created counts as there, for the rows after it."""
        before = plan.record or {"id": id_}
        traits = {**_traits(before), **_traits(plan.body)}
        now = {**before, **self.displayed(plan.body, before), "traits": traits}
        self.index(write_).simulate(now)
        self.simulated.add(self.queue(write_))
        return now

    def displayed(self, sent: Mapping[str, Any], before: Mapping[str, Any]) -> Record:
        """Say what a record shows of what was sent, without its traits."""
        _ = before
        return as_displayed(self.resource, sent)

    def path(self, write_: PendingWrite) -> str:
        """Give the address of the list."""
        inside = {name: segment(value) for name, value in write_.inside.items()}
        return self.resource.api.path.format(**inside)

    def path_of(self, write_: PendingWrite, record: Mapping[str, Any]) -> str:
        """Give the address of a record, by Vitally's own id."""
        return f"{self.path(write_)}/{segment(str(record['id']))}"

    @property
    def label(self) -> str:
        """What messages call the address."""
        return f"/resources{self.resource.api.path}"

    def not_applied(self, resource: Resource, plan: Plan, now: Record) -> list[str]:
        """Name what was sent and is not what the answer says."""
        sent = {n: v for n, v in plan.body.items() if n != "traits" and not _templated(v)}
        return list(self.compare(resource, sent, _traits(plan.body), now))

    def is_double(self, declined: WriteRejected) -> bool:
        """Tell whether a create was refused because there is such a record."""
        words = str(declined).lower()
        reported = any(outcome in words for outcome in ("exist", "duplicate", "unique", "already"))
        return declined.status in DOUBLE and (declined.status == 409 or reported)  # noqa: PLR2004

    def wanted(self, parsed: ParsedRow) -> list[Any]:
        """Name what else has to be looked up for a row."""
        _ = parsed
        return []


def with_body(plan: Plan, body: Record) -> Plan:
    """Give a plan that sends something else."""
    return Plan(plan.outcome, plan.reason, body, plan.record, plan.changes)


def _is_simulated(write_: PendingWrite) -> bool:
    """In a dry run, what would lie inside something new cannot be there yet."""
    return any(value.startswith("new:") for value in write_.inside.values())


def _traits(record: Mapping[str, Any]) -> Record:
    traits = record.get("traits")
    return dict(traits) if isinstance(traits, dict) else {}


def _templated(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


class UserWriter(ResourceWriter):
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

    def not_applied(self, resource: Resource, plan: Plan, now: Record) -> list[str]:  # noqa: D102
        links = {name: ids for name, ids in plan.body.items() if name in LINKS}
        kept = changes(resource, links, {}, now)
        return [*dict.fromkeys((*super().not_applied(resource, plan, now), *kept))]

    def update(self, write_: PendingWrite, plan: Plan) -> Record:  # noqa: D102
        if not write_.exact and not LINKS.isdisjoint(plan.body):
            # What was linked since the list was read would be unlinked by a PUT that replaces.
            id_, index = str((plan.record or {}).get("id")), self.index(write_)
            index.fresh("id", [id_], write_.metrics)
            for present in index.get("id", id_):
                plan = with_body(plan, with_present(self.resource, plan.body, present))
        now = super().update(write_, plan)
        for name, displayed in (("accountIds", "accounts"), ("organizationIds", "organizations")):
            sent = plan.body.get(name)
            linked = {item.get("id") for item in now.get(displayed) or () if isinstance(item, dict)}
            if sent is not None and linked > set(sent):
                self.adds = True
        return now
