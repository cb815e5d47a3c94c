"""How the columns of custom fields are called and typed: decisions on values alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.support import Row
from tap_vitally.streams.traits import columns_of, names_of, snake_case
from tap_vitally.sync.record_mapper import fill_traits, trait_columns_in

WORDS = st.sampled_from(["a", "B", "aB", "_", ".", "-", " ", "vitally.custom.", "é", "7", "x" * 40])
PATHS = st.lists(WORDS, min_size=1, max_size=6).map("".join)
ANY_PATHS = PATHS | st.text(min_size=1)
SETS = st.sets(ANY_PATHS, max_size=12)
CLASHING = [
    ("vitally.custom.nextStep", "next_step"),
    ("nextStep", "next.step", "next-step"),
    ("ARR", "arr"),
    ("日本", "中国"),
]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("vitally.custom.nextStep", "trait_next_step"),
        ("sfdc.Renew_Date__c", "trait_sfdc_renew_date_c"),
        ("stripe.metadata.ref-no", "trait_stripe_metadata_ref_no"),
        ("CREATED_AT", "trait_created_at"),
        ("hspot.q4Score", "trait_hspot_q4_score"),
    ],
)
def test_names_are_the_paths_in_snake_case(path: str, name: str) -> None:
    assert names_of([path]) == {path: name}


@given(SETS)
def test_every_path_has_a_name_of_its_own_that_databases_take(paths: set[str]) -> None:
    names = names_of(paths)
    assert names.keys() == paths
    assert len(set(names.values())) == len(paths)
    for name in names.values():
        assert re.fullmatch(r"trait_[a-z0-9_]*[a-z0-9]", name)
        assert len(name) < 63


@given(SETS, st.randoms())
def test_names_do_not_depend_on_the_order(paths: set[str], random: Any) -> None:
    shuffled = sorted(paths)
    random.shuffle(shuffled)
    assert names_of(shuffled) == names_of(paths)


@given(SETS, ANY_PATHS)
def test_a_path_has_one_of_two_names_whatever_else_there_is(paths: set[str], path: str) -> None:
    alone, twin = names_of([path])[path], path + "."
    among = names_of(paths | {path})[path]
    assert among in {alone, names_of([path, twin])[path]}


@pytest.mark.parametrize("paths", CLASHING)
def test_all_names_that_clash_get_a_suffix(paths: tuple[str, ...]) -> None:
    names = names_of([*paths, "other"])
    assert names["other"] == "trait_other"
    for path in paths:
        assert re.fullmatch(rf"trait_?{snake_case(path)}_[0-9a-f]{{8}}", names[path])


def test_a_name_that_is_spelt_like_a_suffixed_one_gets_one_too() -> None:
    suffixed = names_of(["a.b", "a-b"])["a.b"]
    taken = suffixed.removeprefix("trait_")
    names = names_of(["a.b", "a-b", taken])
    assert names["a.b"] == suffixed
    assert names[taken].startswith(f"{suffixed}_")


TYPES: list[tuple[str, Row]] = [
    ("string", {"type": ["string", "null"]}),
    ("textarea", {"type": ["string", "null"]}),
    ("select", {"type": ["string", "null"]}),
    ("NUMBER", {"type": ["number", "null"]}),
    ("boolean", {"type": ["boolean", "null"]}),
    ("datetime", {"type": ["string", "null"], "format": "date-time"}),
    ("date", {"type": ["string", "null"], "format": "date"}),
    ("multi-select", {"type": ["array", "null"], "items": {"type": ["string"]}}),
    ("formula", {"type": ["object", "null"], "additionalProperties": True}),
]


@pytest.mark.parametrize(("kind", "declared"), TYPES)
def test_types_are_those_of_the_field(kind: str, declared: Row) -> None:
    field = {"label": " Next step ", "path": "vitally.custom.nextStep", "type": kind}
    (column,) = columns_of([field]).values()
    assert column == declared | {
        "title": "vitally.custom.nextStep",
        "description": "Next step (vitally.custom.nextStep).",
    }


KINDS = st.sampled_from([kind for kind, _ in TYPES]) | st.none() | st.text() | st.integers()
FIELDS = st.fixed_dictionaries(
    {"path": ANY_PATHS}, optional={"type": KINDS, "label": st.text() | st.none()}
)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.text(), st.just({}), st.just({"path": 5}), st.just({"path": " "})
)
TRAITS = st.dictionaries(ANY_PATHS, st.text() | st.integers() | st.none(), max_size=8)


@given(st.lists(FIELDS | ODD, max_size=8), TRAITS)
def test_every_column_holds_the_trait_of_its_path_and_nothing_else(
    fields: list[Any], traits: Row
) -> None:
    columns = trait_columns_in({"properties": {"traits": {}, **columns_of(fields)}})
    paths = {
        field["path"]
        for field in fields
        if isinstance(field, dict) and isinstance(field.get("path"), str) and field["path"].strip()
    }
    assert set(columns.values()) == paths
    record: Row = {"id": "1", "traits": dict(traits)}
    fill_traits(record, columns)
    assert record["traits"] == traits
    assert {path: record[name] for name, path in columns.items()} == {
        path: traits.get(path) for path in paths
    }


@pytest.mark.parametrize("traits", [None, [], "text", 5])
def test_what_holds_no_traits_leaves_the_columns_empty(traits: Any) -> None:
    record = {"traits": traits}
    fill_traits(record, {"trait_a": "a"})
    assert record == {"traits": traits, "trait_a": None}
