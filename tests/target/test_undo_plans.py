"""What is decided about a change that is to be taken back, by the values of its record."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from target_vitally.mapping.parse_row import Key
from target_vitally.mapping.plan import Plan, changes
from target_vitally.mapping.resource import Record
from target_vitally.mapping.rows import Undo
from target_vitally.mapping.undo import as_row, parsed_undo, plan_undo, read_undo, undo_of_update
from target_vitally.resources import RESOURCES

ACCOUNTS = RESOURCES["accounts"]
NAMES = st.sampled_from(["one", "two", "three"])
VALUES = st.sampled_from([None, 1, 2, "x", ["y"]])
RECORDS = st.fixed_dictionaries(
    {
        "id": st.just("id-1"),
        "externalId": st.just("a"),
        "name": NAMES,
        "organizationId": st.sampled_from([None, "o-1", "o-2"]),
        "traits": st.dictionaries(st.sampled_from(["plan", "seats"]), VALUES.filter(bool)),
    }
)
SENT = st.fixed_dictionaries(
    {},
    optional={
        "name": NAMES,
        "organizationId": st.sampled_from([None, "o-1", "o-2"]),
        "traits": st.dictionaries(st.sampled_from(["plan", "seats"]), VALUES, min_size=1),
    },
).filter(bool)


def after(record: Record, sent: Record) -> Record:
    """Return a record as it is after a PUT."""
    traits = {**record["traits"], **sent.get("traits", {})}
    kept = {path: value for path, value in traits.items() if value is not None}
    return {**record, **sent, "traits": kept}


def planned(undo: Undo, now: list[Record]) -> Plan:
    parsed, _ = parsed_undo(ACCOUNTS, undo, ())
    return plan_undo(ACCOUNTS, undo, parsed, now)


def undo_of(record: Record, sent: Record) -> Undo:
    """Return what takes an update back, as it is read from its row."""
    undo = undo_of_update(ACCOUNTS, sent, record)
    undo.key = Key("externalId", "a")
    return read_undo(ACCOUNTS, as_row(undo))


@given(before=RECORDS, sent=SENT)
def test_an_update_is_taken_back_once(before: Record, sent: Record) -> None:
    undo = undo_of(before, sent)
    now = after(before, sent)
    plan = planned(undo, [now])
    if changes(ACCOUNTS, {n: before[n] for n in sent if n != "traits"}, before["traits"], now):
        assert plan.outcome == "updated" or undo.cannot
    back = after(now, plan.body)
    assert back == before
    if plan.outcome == "updated":
        assert planned(undo, [back]).outcome == "unchanged"


@given(before=RECORDS, sent=SENT, theirs=RECORDS)
def test_nothing_is_written_over_what_somebody_else_has_written(
    before: Record, sent: Record, theirs: Record
) -> None:
    undo = undo_of(before, sent)
    assume(undo.written)  # what changes nothing has no row
    plan = planned(undo, [theirs])
    wrote = after(before, sent)

    def says(record: Record, name: str) -> Any:
        path = name.removeprefix("traits.")
        return record["traits"].get(path) if path != name else record.get(name)

    for name in plan.changes:
        assert says(theirs, name) == says(wrote, name)
    if plan.outcome == "rejected" and not undo.cannot:
        assert any(
            says(theirs, name) not in (says(wrote, name), says(before, name))
            for name in ("name", "organizationId", "traits.plan", "traits.seats")
        )


@given(record=RECORDS, theirs=RECORDS)
def test_a_create_is_only_taken_back_where_it_is_as_it_was_written(
    record: Record, theirs: Record
) -> None:
    written = {name: value for name, value in record.items() if name != "id" and value is not None}
    undo = Undo("created", "accounts", key=Key("externalId", "a"), written=written)
    assert planned(undo, []).outcome == "unchanged"
    assert planned(undo, [record]).outcome == "deleted"
    differs = changes(
        ACCOUNTS, {n: v for n, v in written.items() if n != "traits"}, record["traits"], theirs
    )
    assert planned(undo, [theirs]).outcome == ("rejected" if differs else "deleted")


@given(record=RECORDS)
def test_a_delete_is_taken_back_with_all_that_there_was(record: Record) -> None:
    undo = Undo("deleted", "accounts", "id-1", Key("externalId", "a"), old=record)
    plan = planned(read_undo(ACCOUNTS, as_row(undo)), [])
    assert plan.outcome == "created"
    wanted = {n: v for n, v in record.items() if n != "id" and v not in (None, {})}
    assert plan.body == wanted
    assert planned(undo, [record]).outcome == "unchanged"
