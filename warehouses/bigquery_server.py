"""Run an emulator of BigQuery on loopback, with what it lacks made up for.

Run by the Python of `.venvs/dbt-bigquery`: ``python bigquery_server.py TABLES``. TABLES is a file of JSON:
`create`, statements of BigQuery that make the tables, `file`, a database of DuckDB that becomes `load`, and
`fill`, statements of DuckDB that copy its rows. Beside BigQuery's own API, which dbt speaks, the server
answers ``GET /rows`` with the rows of a query as JSON. It prints its port when it can be asked.

Each mend stands for a sentence of BigQuery's documentation, which is given beside it in our words. What is
different in the emulator and does not matter to the package is left as it is.
"""

# ruff: noqa: E402 - the emulator logs from its first import on

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

ANSWER = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # where the emulator logs, in place of standard output

import sqlglot
from bqemulator import server
from bqemulator.catalog import ddl_sync
from bqemulator.config import LogLevel, Settings
from bqemulator.sql.rules.datetime_semantics import JsonTypeLowerRule
from bqemulator.sql.rules.json_helpers import JSONKeysRule
from bqemulator.sql.translator import SQLTranslator
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.storage.sql_identifiers import quoted_table_ref
from fastapi import FastAPI, Request
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from sqlglot import exp

# JSON_TYPE names what a JSON value is: object, array, string, number, boolean or null.
# JSON_KEYS with a depth of 1 names the members of the outermost object, those with other signs than letters,
# digits and _ between double quotes.
# The subscript of a JSON value names a field as it is, with all signs.
MACROS = """
CREATE OR REPLACE MACRO _mend_json_type(x) AS CASE json_type(x)
    WHEN 'VARCHAR' THEN 'string' WHEN 'BIGINT' THEN 'number' WHEN 'UBIGINT' THEN 'number'
    WHEN 'DOUBLE' THEN 'number' ELSE lower(json_type(x)) END;
CREATE OR REPLACE MACRO _mend_json_keys(x) AS list_transform(json_keys(x), lambda k:
    CASE WHEN regexp_full_match(k, '[A-Za-z0-9_]+') THEN k ELSE CAST(to_json(k) AS VARCHAR) END);
CREATE OR REPLACE MACRO _mend_member(x, k) AS
    json_extract(x, '/' || replace(replace(k, '~', '~0'), '/', '~1'));
"""

INTROSPECT = ddl_sync._introspect_schema
PARSE = sqlglot.parse_one
REWRITE = SQLTranslator._apply_first_matching_rule


def rewritten(translator: SQLTranslator, node: Any, tree: Any) -> bool:
    """Rewrite a node of DuckDB's SQL; return True if it was."""
    match node:
        # NUMERIC has 38 digits, 9 of them after the point.
        case exp.DataType() if node.sql() == "DECIMAL(18, 3)":
            node.replace(exp.DataType.build("decimal(38, 9)"))
        case exp.Bracket() if len(node.expressions) == 1 and not node.expressions[0].is_number:
            node.replace(exp.func("_mend_member", node.this, node.expressions[0]))
        case _:
            return bool(REWRITE(translator, node, tree))
    return True


def parse(sql: str, *given: Any, **options: Any) -> Any:
    """Parse SQL: an escaped sign is one sign in a string between three quotes, too."""
    return PARSE(re.sub(r"'''(.*?)'''", r"'\1'", sql), *given, **options)


def json_columns(*table: Any) -> Any:
    """Return the schema of a new table, in which the type of a column of JSON is JSON and not STRING."""
    schema, engine = INTROSPECT(*table), table[-1].engine
    described = engine.execute(f"PRAGMA table_info({quoted_table_ref(*table[:3])})").fetchall()
    names = {row[1] for row in described if row[2] in ("JSON", "JSON[]")}
    fields = [
        field.model_copy(update={"type": "JSON"}) if field.name in names else field
        for field in schema.fields
    ]
    return schema.model_copy(update={"fields": tuple(fields)})


def mend() -> None:
    """Put the mends in place, and do without extensions of DuckDB, which would have to be fetched."""
    register = DuckDBEngine._register_builtin_udfs

    def start(engine: DuckDBEngine) -> None:
        register(engine)
        engine.execute(MACROS)

    ddl_sync._introspect_schema = json_columns
    sqlglot.parse_one = parse
    SQLTranslator._apply_first_matching_rule = rewritten
    DuckDBEngine._load_spatial = lambda _: None
    DuckDBEngine._load_format_extensions = lambda _: None
    DuckDBEngine._register_builtin_udfs = start
    JsonTypeLowerRule.rewrite = lambda _, node: exp.func("_mend_json_type", node.this)
    JSONKeysRule.rewrite = lambda _, node: exp.func("_mend_json_keys", node.this)


async def main(load: dict[str, Any]) -> None:
    """Serve until the process is ended."""
    create_app = server.create_app
    made: list[FastAPI] = []

    def create(context: Any) -> Any:
        made.append(create_app(context))
        return made[0]

    server.create_app = create
    running = server.EmulatorServer(
        Settings(rest_port=0, grpc_port=0, default_project_id="vitally", log_level=LogLevel.ERROR)
    )
    await running.start()
    client = bigquery.Client(
        "vitally", AnonymousCredentials(), client_options={"api_endpoint": running.rest_url}
    )

    def ask(sql: str) -> bigquery.table.RowIterator:
        return client.query_and_wait(sql, retry=None, job_retry=None)

    async def rows(request: Request) -> dict[str, Any]:
        found = await asyncio.to_thread(ask, request.query_params["sql"])
        columns = [field.name for field in found.schema]
        values = [list(row.values()) for row in found]
        return {"columns": columns, "rows": json.loads(json.dumps(values, default=str))}

    made[0].get("/rows")(rows)
    for statement in load["create"]:
        await asyncio.to_thread(ask, statement)
    running._engine.execute(f"ATTACH '{load['file']}' AS load (READ_ONLY)")
    for statement in load["fill"]:
        running._engine.execute(statement)
    print(running.rest_port, file=ANSWER, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    mend()
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
