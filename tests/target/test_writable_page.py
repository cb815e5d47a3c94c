"""The page of what can be written says what the target does with a null."""

from __future__ import annotations

import re

import pytest

from harness.support import ROOT
from target_vitally.mapping.parse_row import Rejection, parse_row
from target_vitally.mapping.stream_mapping import map_stream
from target_vitally.resources import RESOURCES

PAGE = (ROOT / "docs" / "writable.md").read_text(encoding="utf-8")
WRITTEN = {"property", "reference"}
CELLS = [
    (part.split("\n", 1)[0], *re.findall(r"[^|]+", line.strip("|"))[:3])
    for part in PAGE.split("\n## ")[1:]
    for line in part.splitlines()
    if line.startswith("| `")
]


def test_every_property_is_on_the_page() -> None:
    listed = {(resource, name.strip(" `")) for resource, name, *_ in CELLS}
    declared = {
        (resource.name, name)
        for resource in RESOURCES.values()
        for name in (
            *resource.by_name,
            *resource.references,
            *(["traits"] if resource.model and not resource.only_message else []),
        )
    }
    assert listed == declared


@pytest.mark.parametrize(
    ("stream", "name", "kind", "empties"), CELLS, ids=lambda cell: cell.strip()
)
def test_a_null_is_taken_where_the_page_says_so(
    stream: str, name: str, kind: str, empties: str
) -> None:
    resource, name = RESOURCES[stream], name.strip(" `")
    if name in {*resource.keys, *resource.references, "traits"} or resource.only_message:
        return
    key = next(
        key for key in ("externalId", "id", "meetingId") if resource.columns.get(key) in WRITTEN
    )
    mapping = map_stream(stream, [key, name], {}, resource, "upsert")
    row = {key: "k", name: None}
    if "null" in empties:
        assert parse_row(mapping, row, "clear").properties[name] is None
    elif "[]" in empties:
        assert parse_row(mapping, {**row, name: []}, "clear").properties[name] == []
    else:
        with pytest.raises(Rejection, match=f"{name}: it cannot be emptied"):
            parse_row(mapping, row, "clear")
    assert name not in parse_row(mapping, row, "omit").properties, kind
