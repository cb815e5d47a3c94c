"""Tables of a large workspace, made by SQL in the database itself, as a loader would have left them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA: Final = "vitally"
NOW: Final = "2026-03-06 05:06:07"
LOADED: Final = f"timestamp '{NOW}'"
SINCE: Final = "timestamp '2024-01-01' + {}::int % 700 * interval '1 day'"
IDS: Final = ("accounts", "organizations", "users", "conversations", "notes", "tasks", "projects")
"""The resources whose ids are listed, three times."""

# (rows for each account, columns): `i` counts the rows from 1, and {account} is an account of the row.
TABLES: Final[dict[str, tuple[float, dict[str, str]]]] = {
    "accounts": (
        1,
        {
            "name": "'Account ' || i",
            "organizationid": "'organizations' || i % {organizations} + 1",
            "csmid": "'admins' || i % 200 + 1",
            "accountownerid": "'admins' || i % 170 + 1",
            "mrr": "i % 900 + 0.5",
            "healthscore": "i % 100 / 10.0",
            "nextrenewaldate": SINCE.format("i") + " + interval '800 day'",
            "churnedat": "case when i % 9 = 0 then " + SINCE.format("i") + " end",
            "segments": """{json}('[{{"id": "s' || i % 20 || '", "name": "Segment ' || i % 20 || '"}}]')""",
            "keyroles": "{json}('[]')",
            "traits": """{json}('{{"vitally.custom.tier": "gold", "usage": ' || i || '}}')""",
        },
    ),
    "organizations": (0.1, {"name": "'Organization ' || i", "mrr": "i * 1.5"}),
    "users": (
        15,
        {
            "name": "'User ' || i",
            "email": "'user' || i || '@example.com'",
            "accountids": """{json}('["{account}"]')""",
            "organizationids": """{json}('["organizations' || i % {organizations} + 1 || '"]')""",
            "segments": """{json}('[{{"id": "u' || i % 9 || '", "name": "Kind ' || i % 9 || '"}}]')""",
            "traits": """{json}('{{"role": "r' || i % 5 || '"}}')""",
        },
    ),
    "conversations": (10, {"subject": "'Subject ' || i", "status": "'Open'"}),
    "messages": (
        50,
        {
            "conversationid": "'conversations' || i % {conversations} + 1",
            "conversationaccountids": """{json}('["{account}"]')""",
            "type": "case when i % 2 = 0 then 'inbound' else 'outbound' end",
            "message": "repeat('<p>words</p> ', 20)",
            "timestamp": SINCE.format("i / 3"),
            '"from"': """{json}('{{"userId": "users' || i || '"}}')""",
        },
    ),
    "notes": (
        5,
        {
            "accountid": "'{account}'",
            "subject": "'Note ' || i",
            "notedate": SINCE.format("i"),
            "authorid": "'admins' || i % 200 + 1",
        },
    ),
    "tasks": (
        5,
        {
            "accountid": "'{account}'",
            "name": "'Task ' || i",
            "duedate": SINCE.format("i"),
            "assignedtoid": "'admins' || i % 200 + 1",
            "projectids": """{json}('["projects' || i % {projects} + 1 || '"]')""",
        },
    ),
    "projects": (0.5, {"accountid": "'{account}'", "name": "'Project ' || i"}),
    "nps_responses": (
        3,
        {
            "target": "'accounts'",
            "userid": "'users' || i * 3",
            "score": "i % 11",
            "respondedat": SINCE.format("i"),
        },
    ),
    "meetings": (
        2,
        {
            "title": "'Meeting ' || i",
            "startdatetime": SINCE.format("i"),
            "accountids": """{json}('["{account}"]')""",
            "participants": """{json}('[{{"id": "p' || i || '", "userId": "users' || i || '"}}]')""",
        },
    ),
    "admins": (0.01, {"name": "'Admin ' || i"}),
}


def statements(accounts: int, json: str, days: int = 18) -> Iterator[str]:
    """Yield the statements that make a workspace; ``json`` is the type that loaders give to objects."""
    sizes = {name: max(1, round(accounts * share)) for name, (share, _) in TABLES.items()}

    def filled(text: str) -> str:
        account = f"accounts' || i % {accounts} + 1 || '"
        return text.format(json=f"cast_{json}", account=account, **sizes)

    def cast(text: str) -> str:
        return text.replace(f"cast_{json}(", f"cast_to_{json}(")

    yield f"CREATE SCHEMA {SCHEMA}"
    yield f"CREATE {'MACRO' if json == 'json' else 'FUNCTION'} {_caster(json)}"
    for table, (_, columns) in TABLES.items():
        own = {
            "id": f"'{table}' || i",
            "createdat": SINCE.format("i"),
            "updatedat": SINCE.format("i"),
            "_sdc_batched_at": LOADED,
            "_sdc_sequence": "i",
            **columns,
        }
        chosen = ", ".join(f"{cast(filled(value))} AS {name}" for name, value in own.items())
        yield _table(table, chosen, sizes[table])
    yield _table(
        "account_health_scores",
        f"'accounts' || i % {accounts} + 1 AS accountid,"
        f" date '2026-03-05' - floor(i / {accounts})::int AS observedon,"
        f" cast_to_{json}('{{\"overall\": ' || i % 100 / 10.0 || '}}') AS breakdown,"
        f" {LOADED} AS _sdc_batched_at",
        accounts * days,
        first=0,
    )
    listed = " UNION ALL ".join(
        f"SELECT '{name}' AS resource, '{name}' || i AS id,"
        f" {LOADED} - CASE WHEN i % 50 = 0 THEN 4 ELSE 0 END * interval '1 day' AS seenat"
        f" FROM generate_series(1, {sizes[name]}) AS s(i)"
        for name in IDS
    )
    yield f"CREATE TABLE {SCHEMA}.inventory AS {listed}"
    runs = " UNION ALL ".join(
        f"SELECT '{name}' AS resource, {LOADED} - i * interval '1 day' AS startedat, {sizes[name]} AS count"
        f" FROM generate_series(0, 2) AS s(i)"
        for name in IDS
    )
    yield f"CREATE TABLE {SCHEMA}.inventory_runs AS {runs}"


def _table(name: str, columns: str, rows: int, first: int = 1) -> str:
    return (
        f"CREATE TABLE {SCHEMA}.{name} AS SELECT {columns}"
        f" FROM generate_series({first}, {first + rows - 1}) AS s(i)"
    )


def _caster(json: str) -> str:
    if json == "json":
        return "cast_to_json(x) AS CAST(x AS JSON)"
    return "cast_to_jsonb(text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT $1::jsonb'"
