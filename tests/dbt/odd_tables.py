# ruff: noqa: S608 - the names in the queries are of ours
"""Tables as loaders and customers leave them, for both databases."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.dbt.conftest import START
from tests.dbt.odd import LITERALS, TEXTS, mutated
from tests.dbt.warehouses import SCHEMA, Warehouse, as_of

ODD_TEXTS = dict(enumerate(dict.fromkeys([*TEXTS, *mutated(300)])))
ODD_TRAITS = dict(enumerate(dict.fromkeys([*LITERALS, *map(json.dumps, mutated(100))])))
QUOTES = 'it\'s "odd"/~.key\\'
TYPES = ("text", "number", "boolean", "date", "timestamp", "json")
TRAITS = {
    "accounts": [
        *({"path": "value", "name": f"as_{type_}", "type": type_} for type_ in TYPES),
        *("nextStep", "next-step", "next_step", "NEXT-STEP", QUOTES, "顧客"),
        {"path": QUOTES, "name": "quotes"},
    ]
}
PASSED_ON: dict[str, list[Any]] = {
    "conversations": [
        "supportTier",
        {"column": "support_tier", "name": "tier_number", "type": "number"},
        {"expression": "upper(status)", "name": "loud_status"},
        {"column": "isPaid", "name": "paid_as_text"},
    ],
    "survey_questions": [{"column": "isRequired", "name": "required_as_it_is"}],
}
STEPS = {"nextStep": "camel", "next-step": "hyphen", "next_step": "low", "NEXT-STEP": "high"}
DOUBLES = {
    "nan": None,
    "inf": None,
    "-inf": None,
    "1e30": None,
    "-1e21": None,
    "1e20": 1e20,
    "5.5": 5.5,
}

COLUMNS = {
    "accounts": "id text, traits {json}, mrr text, usersCount text, churnedAt text, keyRoles text,"
    " trait_next_step text, trait_nextstep text",
    "meetings": "id text, startDate text",
    "survey_questions": "id text, isRequired text",
    "organizations": "id text, mrr double precision, usersCount double precision, healthScore numeric",
    "conversations": "id text, status text, supportTier text, isPaid boolean",
    "account_health_scores": "accountId text, observedOn text, observedAt text, breakdown {json}",
}

# (what the loader adds, versions in the order in which they are loaded, the names that remain)
OLD, NEW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
VERSIONS: dict[str, tuple[str, list[tuple[Any, ...]], list[str]]] = {
    "notes": (
        "_airbyte_extracted_at timestamp",
        [(OLD, "b", "2026-01-05"), (OLD, "c", "2026-01-07"), (OLD, "d", "2026-01-06")],
        ["c"],
    ),
    "projects": (
        "_fivetran_synced text",
        [(OLD, "c", "2026-01-07T10:00:00+02:00"), (OLD, "d", "2026-01-07T09:00:00Z")],
        ["d"],
    ),
    "project_categories": (
        "_dlt_load_id text",
        [(OLD, "c", "1769853610.5"), (OLD, "d", "1769853609.75"), (None, "e", "1869853609.75")],
        ["c"],
    ),
    "users": (
        "_sdc_sequence bigint, _sdc_batched_at timestamp",
        [(OLD, "d", 9, "2026-01-05"), (OLD, "c", 8, "2026-01-06"), (NEW, "b", 7, "2026-01-04")],
        ["b"],
    ),
    "custom_objects": ("loaded text", [(OLD, "c", "2"), (OLD, "d", "1")], ["c"]),
    "note_categories": ("other text", [(OLD, "c", "1"), (OLD, "d", None)], ["d"]),
    "task_categories": ("other text", [(OLD, "d", None), (OLD, "c", "1")], ["d"]),
    # Marked as deleted
    "tasks": (
        "_sdc_deleted_at timestamp, _sdc_sequence bigint",
        [(OLD, "a", None, 1), (NEW, "b", None, 2), (None, None, "2026-01-03", 3)],
        [],
    ),
    "project_templates": (
        "_sdc_deleted_at text",
        [(OLD, "a", None), (OLD, "a", "2026-01-03T00:00:00Z"), ("2026-01-04", "again", "")],
        ["again"],
    ),
    "admins": (
        "_fivetran_deleted boolean, _fivetran_synced timestamp",
        [(OLD, "a", False, "2026-01-05"), (OLD, "a", True, "2026-01-06")],
        [],
    ),
    "survey_responses": (
        "_ab_cdc_deleted_at text, _airbyte_extracted_at timestamp",
        [(OLD, "a", None, "2026-01-05"), (None, None, "2026-01-06", "2026-01-06")],
        [],
    ),
}
SELECTED = [
    *(
        "+vitally__account_enhanced",
        "+vitally__conversation_enhanced",
        "+stg_vitally__account_traits",
    ),
    *(f"stg_vitally__{stream}" for stream in (*COLUMNS, *VERSIONS)),
]
"""The models that are made of them."""
TITLES = {"notes": "subject", "survey_responses": "title"}


def add_unlike_traits(warehouse: Warehouse, one: str, other: str) -> None:
    """Add columns of traits to the accounts of two schemas, of a type of its own in each."""
    kind = "jsonb" if warehouse.name == "postgres" else "json"
    for schema, name, type_, value in (
        (one, "trait_paid", "boolean", "true"),
        (other, "trait_paid", "text", "'perhaps'"),
        (one, "trait_terms", kind, "'[30]'"),
        (other, "trait_terms", "text", "'at once'"),
    ):
        added = f"ADD COLUMN {name} {type_} DEFAULT {value}"
        warehouse.write(f"ALTER TABLE {schema}.accounts {added}", [()])


def fill(warehouse: Warehouse, schema: str = SCHEMA) -> None:
    """Make the tables of a loader."""
    kind = "jsonb" if warehouse.name == "postgres" else "json"
    warehouse.write(f"CREATE SCHEMA {schema}", [()])
    tables = {
        **COLUMNS,
        **{
            table: f"id text, updatedAt text, {TITLES.get(table, 'name')} text, {added}"
            for table, (added, _, _) in VERSIONS.items()
        },
    }
    for table, columns in tables.items():
        warehouse.write(f"CREATE TABLE {schema}.{table} ({columns.format(json=kind)})", [()])

    def insert(table: str, rows: list[tuple[Any, ...]]) -> None:
        marks = ", ".join("?" for _ in rows[0])
        warehouse.write(f"INSERT INTO {schema}.{table} VALUES ({marks})", rows)

    more = json.dumps({**STEPS, QUOTES: "found", "顧客": "one"}, ensure_ascii=False)[1:]
    insert(
        "accounts",
        [
            *((f"text {i}", "{}", t, t, t, t, "own", "other") for i, t in ODD_TEXTS.items()),
            *(
                (f"trait {i}", f'{{"value": {literal}, {more}', *6 * [None])
                for i, literal in ODD_TRAITS.items()
            ),
        ],
    )
    insert("meetings", [(str(i), text) for i, text in ODD_TEXTS.items()])
    insert("survey_questions", [(str(i), text) for i, text in ODD_TEXTS.items()])
    insert(
        "organizations",
        [
            (
                each,
                *2 * [float(each)],
                each if warehouse.name == "postgres" and "e" not in each else 7,
            )
            for each in DOUBLES
        ],
    )
    insert(
        "conversations",
        [
            ("1", "Open", "gold", True),
            ("2", "Closed", "7", False),
            ("3", "", "", None),
            ("4", None, None, None),
        ],
    )
    insert(
        "account_health_scores",
        [
            (f"trait {i}", "2026-03-04", NEW, f'{{"overall": {literal}, "score": 7}}')
            for i, literal in ODD_TRAITS.items()
        ],
    )
    for table, (_, versions, _) in VERSIONS.items():
        insert(table, [("id", *version) for version in versions])


@dataclass(frozen=True)
class OddTables:
    """The models of these tables in one database."""

    warehouse: Warehouse
    schema: str = SCHEMA

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Put a query to them."""
        return self.warehouse.query(sql, self.schema)

    def dbt(self, *arguments: str, **variables: Any) -> str:
        """Run dbt on them."""
        known: dict[str, Any] = {**as_of(START), "vitally_loaded_at": "loaded"}
        known |= {"vitally__traits": TRAITS, "vitally__columns": PASSED_ON}
        return self.warehouse.dbt(*arguments, schema=self.schema, variables={**known, **variables})
