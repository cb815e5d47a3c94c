"""Find, create, update and delete records in the way that most resources need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from target_vitally.lookup.client import RecordClient, WriteRejected, segment
from target_vitally.lookup.index import Index
from target_vitally.lookup.kept_records import SimulatedRecords
from target_vitally.lookup.references import References
from target_vitally.lookup.unanswered import LookupFailed
from target_vitally.mapping import plan as planning
from target_vitally.mapping.links import PARTICIPANTS
from target_vitally.mapping.plan import Plan, as_displayed, changes
from target_vitally.mapping.resource import Record, Resource
from target_vitally.mapping.rows import PendingWrite, Undo
from target_vitally.mapping.undo import HANGING, STILL_ARCHIVED, plan_undo
from vitally_api import Refused
from vitally_api.resources import LISTS, NESTED
from vitally_api.statuses import EXISTS, GONE, MAY_EXIST
from vitally_api.values import key_text

NOT_ANSWERED = frozenset({"traits", "messages", "participants"})
"""Properties that are not compared with the answer to a write, which shows them in another form."""
NEW = "new:"
"""The prefix of ids that stand for records which a dry run would create."""


class ResourceWriter:
    """Finds, creates, updates and deletes records; subclasses override what their resource needs."""

    asks = False
    """True if `present` sends a request each time."""
    unlinks = False
    """True if messages to the Analytics API can unlink users from accounts, which updates cannot."""
    only_adds = False
    """True once an answer showed that updates only add links: plans made before may be wrong."""

    def __init__(self, resource: Resource, references: References) -> None:
        self.resource = resource
        self.references = references
        self.client = references.client
        self.label = f"/resources{resource.api.path}"
        """The address of the list in log and error messages."""
        self.touched_lists: set[Index] = set()
        """The indexes in which a dry run has created records."""
        self.simulated = SimulatedRecords(references.store)
        """Records as a dry run would have left them, by `queue`: they must not be read again."""

    def index(self, write_: PendingWrite) -> Index:
        """Return the index of the list that the record is in."""
        return self.references.index(self.resource.name, write_.inside)

    def find(self, writes: Sequence[PendingWrite], *, more: bool = False) -> None:
        """Look up the records of these writes; ``more`` is True if further rows will follow."""
        for (index, by), of_list in self._by_index(writes).items():
            index.find(by, [value for value, _ in of_list], more=more)

    def present(self, write_: PendingWrite) -> list[Record]:
        """Return the records with the write's key, as `find` read them; none if it has no key."""
        return self.index(write_).get(write_.key.by, write_.key.value) if write_.key else []

    def plan(self, write_: PendingWrite, *, only_changed: bool) -> Plan:
        """Compare a write with its record; raise `LookupFailed` if the look-up was refused."""
        if write_.undo:
            return self._plan_undo(write_, write_.undo)
        return planning.plan(
            write_.resource,
            write_.parsed.mode,
            write_.parsed,
            write_.body,
            self.present(write_),
            only_changed=only_changed,
            missing=str(write_.missing or ""),
            exact=self.exact(write_),
        )

    def _plan_undo(self, write_: PendingWrite, undo: Undo) -> Plan:
        """Decide how to reverse a change, from the record as it is now."""
        simulated = undo.run.simulated.get(undo.identity)
        present = self.read(write_) if simulated is None else simulated
        made = plan_undo(write_.resource, undo, write_.parsed, present)
        deleted = made.record if made.outcome == "deleted" else None
        if deleted and (added := self.added_to(write_, undo, deleted)):
            return Plan("rejected", HANGING.format(added), record=deleted)
        return made

    def read(self, write_: PendingWrite) -> list[Record]:
        """Read the record of an undo again, by its id or else by its key."""
        undo = write_.undo
        id_ = undo.run.moved.get(undo.id, undo.id) if undo else ""
        by_id = self.read_by(write_, "id", id_) if id_ else []
        if (by_id and not by_id[0].get("archivedAt")) or not (undo and undo.key):
            return by_id
        return self.read_by(write_, undo.key.by, undo.key.value) or by_id

    def read_by(self, write_: PendingWrite, by: str, value: str) -> list[Record]:
        """Read all members of the records with a key; raise `LookupFailed` if the API refuses that."""
        index = self.index(write_)
        if by not in self.resource.api.lookups:
            index.check(by, key_text(by, value))
            return [r for id_ in index.ids(by, value) for r in self.read_by(write_, "id", id_)]
        found = index.answer(by, value, lambda: index.source.ask(by, value, write_))
        for record in found:
            index.put(record)
        return [record for record in found if not record.get("archivedAt")] or found[:1]

    def whole(self, write_: PendingWrite, record: Record) -> Record:
        """Read all members of a record before its delete; return it as it is if it no longer exists."""
        return next(iter(self.read_by(write_, "id", str(record["id"]))), record)

    def added_to(self, write_: PendingWrite, undo: Undo, record: Record) -> str:
        """Return the kind of records, if any, that others added below one that an undo would delete."""
        for name, (path, query) in lists_below(self.resource.name).items():
            address = f"{self.path_of(write_, record)}{path}"
            pages = self.client.pages(address, f"{self.label}/...{path}", query, write_)
            try:
                if any(str(r.get("id")) not in undo.run.settled for page in pages for r in page):
                    return name.replace("_", " ")
            except Refused as refused:
                if refused.status not in GONE or not _lacks(self.client, name):
                    raise LookupFailed(str(refused)) from None
        return ""

    def not_undone(self, write_: PendingWrite, now: Record) -> str:
        """Return why an undo had no effect although Vitally accepted it; empty if it had."""
        _ = write_
        return STILL_ARCHIVED if now.get("archivedAt") else ""

    def find_again(self, writes: Sequence[PendingWrite]) -> None:
        """Read the records of these writes again, for `present`."""
        for (index, by), of_list in self._by_index(writes).items():
            values = [value for value, _ in of_list]
            index.refresh(by, values, of_list[0][1] if len(values) == 1 else None)

    def _by_index(
        self, writes: Sequence[PendingWrite]
    ) -> Mapping[tuple[Index, str], list[tuple[str, PendingWrite]]]:
        wanted: dict[tuple[Index, str], list[tuple[str, PendingWrite]]] = {}
        for write_ in writes:
            # What would lie inside something that a dry run creates cannot be there yet.
            if write_.key and not any(v.startswith(NEW) for v in write_.inside.values()):
                place = self.index(write_), write_.key.by
                wanted.setdefault(place, []).append((write_.key.value, write_))
        return wanted

    def in_parts(self, write_: PendingWrite) -> bool:
        """Return True if a create takes several requests, so that a record may be written in part."""
        _ = write_
        return self.asks

    def queue(self, write_: PendingWrite) -> str:
        """Return a name that is the same for all writes to one record, which are sent in order."""
        if write_.undo:
            return write_.undo.identity
        if write_.key is None:
            return f"row {write_.rows[-1].number}"
        ids = self.index(write_).ids(write_.key.by, write_.key.value)
        return ids[0] if ids else f"{write_.key.by}:{write_.key.value}"

    def touched(self, write_: PendingWrite) -> set[str]:
        """Return all names of the records that a write may change; an undo may have an id and a key."""
        undo = write_.undo
        known = {undo.id, *undo.inside.values()} if undo else set()
        return {self.queue(write_), *known} - {""}

    def blocks(self, lost: PendingWrite, then: PendingWrite) -> bool:
        """Return True if ``then`` must wait for ``lost``, a write of its queue whose answer was lost."""
        _ = lost, then
        return True

    def exact(self, write_: PendingWrite) -> frozenset[str]:
        """Return the properties from which an update removes links that no row names."""
        links = (PARTICIPANTS, *(ref.name for ref in self.resource.links))
        return frozenset(links if write_.exact else ())

    def create(self, write_: PendingWrite, plan: Plan) -> Record:
        """Create the record, and return it."""
        answer = self.send(write_, "POST", self.path(write_), plan.body)
        return self.keep(write_, answer, plan.body)

    def update(self, write_: PendingWrite, plan: Plan) -> Record:
        """Update the record, and return it."""
        record = plan.record or {}
        answer = self.send(write_, "PUT", self.path_of(write_, record), plan.body)
        return self.keep(write_, answer, plan.body, record)

    def delete(self, write_: PendingWrite, record: Record) -> bool:
        """Delete the record; return whether it was there."""
        on = write_.parsed.properties.get("deleteOn")
        query = {"deleteOn": str(on)[:10]} if on else None
        there = self.remove(write_, self.path_of(write_, record), query)
        self.index(write_).drop(str(record["id"]))
        return there

    def remove(
        self, write_: PendingWrite, path: str, query: Mapping[str, str] | None = None
    ) -> bool:
        """Send a DELETE; return False if the record was not there, and no earlier try deleted it."""
        before = write_.retries
        try:
            self.client.write("DELETE", path, self.label, None, query, write_)
        except WriteRejected as rejected:
            if rejected.status not in GONE:
                raise
            return write_.retries > before
        return True

    def send(self, write_: PendingWrite, method: str, path: str, body: Record) -> Record:
        """Send a write to this resource; return the answer."""
        return self.client.write(method, path, self.label, body, None, write_)

    def keep(
        self, write_: PendingWrite, answer: Record, sent: Record, record: Record | None = None
    ) -> Record:
        """Put a record into the index, as ``record`` updated with ``sent`` and ``answer``; return it."""
        now = self._after(sent, record or {}) | answer
        if not now.get("id"):
            now |= self.read_after(write_)
        self.index(write_).put(now)
        return now

    def read_after(self, write_: PendingWrite) -> Record:
        """Read a record that was just written, as far as Vitally shows it.

        Where that is refused, it is written all the same; what rows after it do to it is then not known.
        """
        key = write_.key
        if key is None:
            return {}

        def find() -> list[Record]:
            self.find_again([write_])
            return self.present(write_)

        with suppress(LookupFailed):
            found = self.index(write_).answer(key.by, key_text(key.by, key.value), find)
            return next(iter(found), {})
        return {}

    def simulate(self, write_: PendingWrite, plan: Plan, id_: str) -> Record:
        """Put the record into the index as if it had been written, so that later rows find it."""
        now = self._after(plan.body, plan.record or {"id": id_})
        if write_.undo:
            write_.undo.run.simulated[write_.undo.identity] = [now]
            return now
        self.index(write_).put(now, planned=True)
        if plan.record is None:
            self.touched_lists.add(self.index(write_))
        self.simulated.put(self.queue(write_), {})
        return now

    def _after(self, sent: Record, before: Record) -> Record:
        traits = {**(before.get("traits") or {}), **(sent.get("traits") or {})}
        return {**before, **as_displayed(self.resource, sent, before), "traits": traits}

    def path(self, write_: PendingWrite) -> str:
        """Return the address of the list."""
        inside = {name: segment(value) for name, value in write_.inside.items()}
        return self.resource.api.path.format(**inside)

    def path_of(self, write_: PendingWrite, record: Record) -> str:
        """Return the address of a record, by Vitally's own id."""
        return f"{self.path(write_)}/{segment(str(record['id']))}"

    def not_applied(self, write_: PendingWrite, plan: Plan, now: Record) -> list[str]:
        """Return the properties that differ in the answer, except ``{{...}}``, which Vitally fills in."""
        body = {
            name: value
            for name, value in plan.body.items()
            if name not in NOT_ANSWERED and not (isinstance(value, str) and "{{" in value)
        }
        return list(changes(write_.resource, body, plan.body.get("traits") or {}, now))


def lists_below(resource: str) -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """Return the lists of records that Vitally deletes with their parent: (path, query) by name."""
    if resource == "custom_objects":
        return {"records": ("/instances", {"archived": "false"})}
    return {
        name: (LISTS[name].path, variants.queries[0])
        for name, variants in NESTED.get(resource, {}).items()
    }


def _lacks(client: RecordClient, name: str) -> bool:
    """Return True if the workspace does not have a list at all, so that nothing can be in it."""
    if name not in LISTS:
        return False
    path = LISTS[name].path
    try:
        next(client.pages(path, f"/resources{path}", {"limit": "1"}), None)
    except Refused as refused:
        return refused.status in GONE
    return False


def is_duplicate(rejected: WriteRejected) -> bool:
    """Return True if a create was refused because the record already exists."""
    text = str(rejected).lower()
    reported = any(word in text for word in ("exist", "duplicate", "unique", "already"))
    return rejected.status in EXISTS or (rejected.status in MAY_EXIST and reported)
