"""Tables as loaders and customers leave them: odd values, several versions of a row, missing columns."""

# ruff: noqa: S608 - the names in the queries are of ours

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.postgres import running_postgres
from tests.dbt.dbt_process import DBT
from tests.dbt.odd import boolean_of, day_of, decimal_of, moment_of, trait_as, within
from tests.dbt.odd_tables import (
    DOUBLES,
    ODD_TEXTS,
    ODD_TRAITS,
    PASSED_ON,
    SELECTED,
    STEPS,
    TITLES,
    VERSIONS,
    OddTables,
    fill,
)
from tests.dbt.warehouses import (
    SCHEMA,
    by_sort,
    duckdb_warehouse,
    even,
    postgres_warehouse,
)

pytestmark = pytest.mark.timeout(900)  # the first test waits until all is built on both databases


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, OddTables]]:
    folder = tmp_path_factory.mktemp("odd")
    with running_postgres() as address:
        found = [
            OddTables(duckdb_warehouse(folder)),
            OddTables(postgres_warehouse(folder, address)),
        ]

        def prepare(odd: OddTables) -> None:
            fill(odd.warehouse)
            odd.dbt("run", "--select", *SELECTED)

        with ThreadPoolExecutor() as pool:
            list(pool.map(prepare, found))
        yield {odd.warehouse.name: odd for odd in found}


@pytest.fixture(params=["duckdb", "postgres"])
def odd(request: pytest.FixtureRequest, both: dict[str, OddTables]) -> OddTables:
    found: OddTables = both[request.param]
    return found


# Values


def test_a_text_is_brought_to_its_type_or_null(odd: OddTables) -> None:
    found = odd.query(
        "SELECT account_id, mrr, users_count, churned_at FROM stg_vitally__accounts"
        " WHERE account_id LIKE 'text%'"
    )
    assert by_sort(found) == by_sort(
        [
            (
                f"text {i}",
                even(within(decimal_of(text), "1e21")),
                whole(within(decimal_of(text), "1e21")),
                moment_of(text),
            )
            for i, text in ODD_TEXTS.items()
        ]
    )


def whole(number: Any) -> int | None:
    """A number as a bigint, rounded half up as databases do it."""
    if within(number, "9.2e18") is None:
        return None
    return int(number.to_integral_value("ROUND_HALF_UP"))


def test_a_text_is_a_day_or_null(odd: OddTables) -> None:
    found = odd.query("SELECT meeting_id, start_date FROM stg_vitally__meetings")
    assert by_sort(found) == by_sort([(str(i), day_of(text)) for i, text in ODD_TEXTS.items()])


def test_a_text_is_a_boolean_or_null(odd: OddTables) -> None:
    found = odd.query("SELECT survey_question_id, is_required FROM stg_vitally__survey_questions")
    assert by_sort(found) == by_sort([(str(i), boolean_of(text)) for i, text in ODD_TEXTS.items()])


def test_a_text_is_json_or_null(odd: OddTables) -> None:
    found = odd.query(
        "SELECT account_id FROM stg_vitally__accounts WHERE cast(key_roles AS text) IN ('[1]', '{}')"
    )
    wanted = [i for i, text in ODD_TEXTS.items() if text in ("[1]", "{}")]
    assert sorted(found) == sorted((f"text {i}",) for i in wanted)


def test_a_number_that_a_type_does_not_hold_is_null(odd: OddTables) -> None:
    found = odd.query("SELECT organization_id, mrr, users_count FROM stg_vitally__organizations")
    integers = {"5.5": 6}
    assert {key: mrr for key, mrr, _ in found} == pytest.approx(DOUBLES)
    assert {key: count for key, _, count in found} == {key: integers.get(key) for key in DOUBLES}


@pytest.mark.parametrize("type_", ["number", "boolean", "date", "timestamp"])
def test_a_trait_of_another_type_is_null(odd: OddTables, type_: str) -> None:
    found = odd.query(
        f"SELECT account_id, as_{type_} FROM vitally__account_enhanced WHERE account_id LIKE 'trait%'"
    )
    wanted = [(f"trait {i}", trait_as(type_, each)) for i, each in ODD_TRAITS.items()]
    assert any(value is not None for _, value in wanted)
    assert by_sort(found) == by_sort([tuple(map(even, row)) for row in wanted])


def test_a_trait_as_text_is_that_of_a_single_value(odd: OddTables) -> None:
    found = dict(
        odd.query(
            "SELECT account_id, as_text FROM vitally__account_enhanced WHERE account_id LIKE 'trait%'"
        )
    )
    for i, literal in ODD_TRAITS.items():
        value = json.loads(literal)
        match value:
            case str():
                assert found[f"trait {i}"] == (value or None)
            case bool():
                assert found[f"trait {i}"] == literal
            case None | dict() | list():
                assert found[f"trait {i}"] is None
            case _:
                assert found[f"trait {i}"]


def test_every_trait_is_a_row(odd: OddTables) -> None:
    found = odd.query(
        "SELECT account_id, value_number FROM stg_vitally__account_traits WHERE path = 'value'"
    )
    assert {key for key, _ in found} == {
        f"trait {i}" for i, each in ODD_TRAITS.items() if each != "null"
    }
    numbers = {key: value for key, value in found if value is not None}
    assert numbers[f"trait {list(ODD_TRAITS.values()).index('1e30')}"] == 1e30


def test_an_odd_score_is_not_one(odd: OddTables) -> None:
    found = odd.query(
        "SELECT account_id, health_score FROM vitally__account_enhanced"
        " WHERE account_id LIKE 'trait%'"
    )
    scores = {f"trait {i}": trait_as("number", each) for i, each in ODD_TRAITS.items()}
    wanted = [
        (key, even(score) if score is not None and 0 <= score <= 10 else 7.0)
        for key, score in scores.items()
    ]
    assert by_sort(found) == by_sort(wanted)


# Names


def test_traits_that_are_spelled_alike_have_names_of_their_own(both: dict[str, OddTables]) -> None:
    names = {}
    for name, odd in both.items():
        columns = odd.query(
            "SELECT column_name FROM information_schema.columns"
            f" WHERE table_schema = 'dbt_{SCHEMA}_vitally' AND table_name = 'vitally__account_enhanced'"
            " AND column_name LIKE 'trait_%' ORDER BY ordinal_position"
        )
        names[name] = [column for (column,) in columns]
    assert names["duckdb"] == names["postgres"]
    *steps, odd_key, foreign, own, other = names["duckdb"]
    assert (odd_key, own, other) == ("trait_it_s_odd_key", "trait_next_step", "trait_nextstep")
    assert foreign.startswith("trait_")
    for odd in both.values():
        columns_ = ", ".join([*steps, odd_key, "quotes", foreign])
        (row,) = odd.query(
            f"SELECT DISTINCT {columns_} FROM vitally__account_enhanced WHERE account_id LIKE 'trait%'"
        )
        assert row == (*STEPS.values(), "found", "found", "one")
        (row,) = odd.query(
            "SELECT DISTINCT trait_next_step, trait_nextstep FROM vitally__account_enhanced"
            " WHERE account_id LIKE 'text%'"
        )
        assert row == ("own", "other")


# Versions


@pytest.mark.parametrize("table", VERSIONS)
def test_the_newest_version_counts(odd: OddTables, table: str) -> None:
    found = odd.query(f"SELECT {TITLES.get(table, 'name')} FROM stg_vitally__{table}")
    assert [name for (name,) in found] == VERSIONS[table][2]


def test_a_derived_boolean_is_never_null(odd: OddTables) -> None:
    found = odd.query("SELECT conversation_id, status, is_open FROM vitally__conversation_enhanced")
    assert sorted(found) == [
        ("1", "Open", True),
        ("2", "Closed", False),
        ("3", None, False),
        ("4", None, False),
    ]
    for schema, table, column in odd.query(
        "SELECT table_schema, table_name, column_name FROM information_schema.columns"
        f" WHERE table_schema = 'dbt_{SCHEMA}_vitally' AND column_name LIKE 'is_%'"
    ):
        assert odd.query(f"SELECT count(*) FROM {schema}.{table} WHERE {column} IS NULL") == [
            (0,)
        ], column


def test_columns_that_are_named_are_passed_on(odd: OddTables) -> None:
    found = odd.query(
        "SELECT conversation_id, support_tier, tier_number, loud_status, paid_as_text"
        " FROM vitally__conversation_enhanced"
    )
    assert by_sort(found) == [
        ("1", "gold", None, "OPEN", "true"),
        ("2", "7", 7.0, "CLOSED", "false"),
        ("3", None, None, "", None),
        ("4", None, None, None, None),
    ]
    found = odd.query(
        "SELECT survey_question_id, required_as_it_is FROM stg_vitally__survey_questions"
    )
    assert by_sort(found) == by_sort([(str(i), text or None) for i, text in ODD_TEXTS.items()])


# Errors that say what to do


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with a few models, which dbt has read in no time."""
    project = tmp_path_factory.mktemp("small")
    (project / "models").mkdir()
    shutil.copy(DBT / "dbt_project.yml", project)
    shutil.copy(DBT / "profiles.yml", project)
    shutil.copytree(DBT / "macros", project / "macros")
    shutil.copy(DBT / "models" / "staging" / "src_vitally.yml", project / "models")
    for stream in ("accounts", "notes"):
        shutil.copy(DBT / "models" / "staging" / f"stg_vitally__{stream}.sql", project / "models")
    return project


def test_a_table_without_its_key_is_refused(both: dict[str, OddTables], small: Path) -> None:
    warehouse = both["duckdb"].warehouse
    warehouse.write("CREATE SCHEMA keyless", [()])
    warehouse.write("CREATE TABLE keyless.notes (identifier text, data json)", [()])
    said = warehouse.dbt("run", schema="keyless", variables={}, project=small, fails=True)
    assert "no column for id, part of its key, only identifier, data" in " ".join(said.split())


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        (
            {
                "vitally__using_massages": True,
                "vitally_using_inventory": True,
                "vitaly_schema": "main",
                "vitally_account_identifier": "a",
            },
            [
                "vitally__using_massages (did you mean vitally__using_messages?)",
                "vitally_using_inventory (did you mean vitally__using_inventory?)",
                "vitaly_schema (did you mean vitally_schema?)",
                "vitally_account_identifier (did you mean vitally_accounts_identifier?)",
            ],
        ),
        (
            {"vitally__using_messages": "false"},
            ["vitally__using_messages is neither true nor false"],
        ),
        ({"vitally__traits": {"account": ["a"]}}, ["vitally__traits knows no table account"]),
        ({"vitally__columns": {"account": ["a"]}}, ["vitally__columns knows no table account"]),
        (
            {"vitally_sources": ["north"]},
            ["vitally_sources: north is not {schema, name, database}"],
        ),
        (
            {"vitally_sources": [{"schema": "a"}, {"schema": "b", "name": "a"}]},
            ["vitally_sources: two workspaces have one name"],
        ),
    ],
)
def test_a_var_that_is_misspelt_is_an_error(
    both: dict[str, OddTables], small: Path, variables: dict[str, Any], says: list[str]
) -> None:
    said = both["duckdb"].warehouse.dbt(
        "run", schema=SCHEMA, variables=variables, project=small, fails=True
    )
    assert [each for each in says if each not in " ".join(said.split())] == []
    assert "stg_vitally__accounts" not in said, "and nothing is built"


# Lineage, and builds of a part


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({}, ["warehouse", SCHEMA]),
        ({"vitally_schema": "Raw", "vitally_database": "lake"}, ["lake", "Raw"]),
        # As above, so that it is not parsed again.
        ({"vitally_sources": [{"schema": "a"}, {"schema": "b", "name": "a"}]}, ["warehouse", "a"]),
    ],
)
def test_the_sources_are_the_tables_of_the_first_workspace(
    both: dict[str, OddTables], small: Path, variables: dict[str, Any], place: list[str]
) -> None:
    listed = both["duckdb"].warehouse.dbt(
        *("ls", "--quiet", "--select", "source:vitally.notes", "--output", "json"),
        *("--output-keys", "database", "schema"),
        schema=SCHEMA,
        variables=variables,
        project=small,
    )
    assert [list(json.loads(line).values()) for line in listed.splitlines()] == [place]


def test_the_lineage_begins_at_the_tables(both: dict[str, OddTables]) -> None:
    listed = both["duckdb"].dbt(
        "ls", "--quiet", "--resource-type", "model", "--select", "source:vitally.accounts+",
        "source:vitally.inventory+",
    )  # fmt: skip
    models = {line.rpartition(".")[2] for line in listed.split()}
    assert models >= {
        "stg_vitally__accounts",
        "stg_vitally__account_segments",
        "stg_vitally__inventory",
        "vitally__deleted_records",
        "vitally__account_enhanced",
        "vitally__team_member_metrics",
    }
    assert "stg_vitally__admins" not in models


def relations(odd: OddTables) -> set[tuple[Any, ...]]:
    """All tables and views that are no system's, with what kind they are."""
    return set(
        odd.query(
            "SELECT table_schema, table_name, table_type FROM information_schema.tables"
            " WHERE table_schema LIKE 'dbt_%' OR table_schema = 'analyst'"
        )
    )


def test_a_build_of_a_part_leaves_all_views_where_they_are(both: dict[str, OddTables]) -> None:
    odd = both["postgres"]
    looked_at = {
        "stg_vitally": ("stg_vitally__accounts", "stg_vitally__user_accounts"),
        "int_vitally": ("int_vitally__account_tasks",),
        "vitally": ("vitally__account_enhanced",),
    }
    odd.warehouse.write("CREATE SCHEMA analyst", [()])
    for schema, tables in looked_at.items():
        for table in tables:
            odd.warehouse.write(
                f"CREATE VIEW analyst.{table} AS SELECT * FROM dbt_{SCHEMA}_{schema}.{table}",
                [()],
            )
    before = relations(odd)
    assert sum(kind == "VIEW" for _, _, kind in before) == sum(map(len, looked_at.values()))
    odd.warehouse.write(f"ALTER TABLE {SCHEMA}.accounts ADD COLUMN trait_zone text", [()])
    odd.warehouse.write(f"UPDATE {SCHEMA}.accounts SET trait_zone = 'eu', mrr = '7'", [()])
    # A column that is named comes before those of traits in the query, and after them in the table.
    more = {"accounts": [{"column": "keyRoles", "name": "roles_as_text"}]}
    for named in (PASSED_ON, PASSED_ON | more, PASSED_ON | more):
        odd.dbt(
            *("run", "--select", *(table for tables in looked_at.values() for table in tables)),
            vitally__columns=named,
        )
        assert relations(odd) == before
    assert odd.query("SELECT DISTINCT mrr FROM analyst.vitally__account_enhanced") == [(7.0,)]
    assert odd.query("SELECT DISTINCT trait_zone FROM vitally__account_enhanced") == [("eu",)]
    enhanced = "SELECT account_id, roles_as_text FROM vitally__account_enhanced"
    roles = f"SELECT id, nullif(keyRoles, '') FROM {SCHEMA}.accounts"
    assert by_sort(odd.query(enhanced)) == by_sort(odd.query(roles))
