"""What the API sends and no schema declares is kept in one column, and a day stays a day."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tap_vitally.sync.coerce import COLUMN, Coercer
from tests.sync.test_conform import HUGE, SCHEMA, Noted, Record, exactly


def gathered(row: Record, schema: Record = SCHEMA, **how: Any) -> tuple[Record | None, list[str]]:
    """What is kept of the properties that a schema does not declare, and what is told of them."""
    noted = Noted()
    conformer = Coercer(schema, noted, **how)
    record = {**conformer.blank, **row}
    conformer.coerce([record])
    assert list(record) == list(schema["properties"])
    return record.get(COLUMN), noted.lines


@pytest.mark.parametrize("value", [5, "text", {"a": Decimal("0.10")}, [None, 1], True, HUGE])
@pytest.mark.parametrize("name", ["brandNew", "", "Text", COLUMN])
def test_an_undeclared_property_is_kept_as_it_is_and_that_is_told(name: str, value: Any) -> None:
    found, reported = gathered({name: value, "text": "a"})
    assert exactly(found) == exactly({name: value})
    assert reported == [f"{name} is not in the schema: kept in additionalProperties"]


def test_several_undeclared_properties_are_kept_together() -> None:
    assert gathered({"b": 1, "id": "1", "a": [2], COLUMN: {"c": 3}})[0] == {
        "b": 1,
        "a": [2],
        COLUMN: {"c": 3},
    }


def test_an_undeclared_property_without_a_value_is_not_worth_telling() -> None:
    assert gathered({"brandNew": None}) == (None, [])


def test_what_is_masked_by_name_does_not_slip_through() -> None:
    found, (reported, other) = gathered({"phone": "1", "fax": "2"}, masked={"phone"})
    assert found == {"fax": "2"}
    assert reported == "phone is not in the schema, and masked by name: left out"
    assert other.startswith("fax ")


@pytest.mark.parametrize(
    ("value", "day", "cut"),
    [
        ("2026-03-10", "2026-03-10", False),
        ("2026-03-10T14:30:00.000Z", "2026-03-10", True),
        ("2026-03-10T23:30:00-05:00", "2026-03-10", True),
        ("2026-03-10T00:30:00+05:00", "2026-03-10", True),
        (" 2026-03-10 14:30 ", "2026-03-10", True),
        ("2026-03-10t14:30:00z", "2026-03-10", True),
        ("20260310T143000Z", "2026-03-10", True),
        ("0001-01-01T00:30:00+05:00", "0001-01-01", True),
        ("2026-03-10T00:00:00.000Z", "2026-03-10", False),
        ("2026-03-10T00:00:00+02:00", "2026-03-10", False),
        (1773152999, "2026-03-10", True),
        (1773100800, "2026-03-10", False),
        ("1773152999123", "2026-03-10", True),
        (Decimal("1773152999.5"), "2026-03-10", True),
    ],
    ids=str,
)
def test_a_day_is_the_one_that_stands_in_the_text_and_a_cut_is_told(
    value: Any, day: str, cut: bool
) -> None:
    noted = Noted()
    conformer = Coercer(SCHEMA, noted)
    record = {**conformer.blank, "day": value}
    conformer.coerce([record])
    assert record["day"] == day
    assert (noted.days, noted.cut) == ({"day": 1}, {"day": int(cut)})
    assert any("cut to the day" in line for line in noted.lines) == cut


def test_what_an_older_catalog_lacks_is_left_out_and_told() -> None:
    older = {"properties": {"id": {"type": "string"}, COLUMN: SCHEMA["properties"][COLUMN]}}
    row = {"id": "1", "newer": 5, "newest": 6}
    known = {"id", "newer", COLUMN}
    assert gathered(row, older, known=known) == (
        {"newest": 6},
        [
            "newer is not in the catalog: left out. Make a new one with --discover",
            "newest is not in the schema: kept in additionalProperties",
        ],
    )
    oldest = {"properties": {"id": {"type": "string"}}}
    found, reported = gathered({**row, COLUMN: {"a": 1}}, oldest, known=known)
    assert found is None
    assert [line.split()[0] for line in reported] == ["newer", "newest", COLUMN]
    assert all("left out" in line for line in reported)
