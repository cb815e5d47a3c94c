"""Pages that wait are kept compressed, and are what they were."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tap_vitally.sync.batches import SMALLEST_COMPRESSED, CompressedRecords, ListRequest, Page
from tests.sync.instrumented import often
from vitally_api.decoding import decoded, encoded

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@often
@given(st.lists(st.dictionaries(st.text(), values, max_size=4), max_size=4))
def test_records_that_waited_are_what_they_were(written: list[dict[str, Any]]) -> None:
    records = [decoded(encoded(record), "a test") for record in written]
    page = Page(ListRequest("/users"), records, SMALLEST_COMPRESSED).compressed()
    assert isinstance(page.records, CompressedRecords)
    assert repr(list(page.records)) == repr(records)
    assert page.records.lines == list(map(encoded, records))
    assert len(page.records) == len(records)
    assert page.records[-1:] == records[-1:]
    assert page.size_bytes == page.records.size_bytes


def test_what_is_small_is_left_as_it_is() -> None:
    page = Page(ListRequest("/users"), [{"id": "1"}], 100)
    assert page.compressed() is page
