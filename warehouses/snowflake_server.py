"""Run an emulator of Snowflake on loopback, with what it lacks made up for.

Run by the Python of `.venvs/dbt-snowflake`: ``python snowflake_server.py TABLES``. TABLES is a file of JSON:
`create`, statements of Snowflake that make the tables, `file`, a database of DuckDB that becomes `load`, and
`fill`, statements of DuckDB that copy its rows. Beside Snowflake's own protocol, which dbt speaks, the server
answers ``GET /rows`` with the rows of a query as JSON.

Each mend stands for a sentence of Snowflake's documentation, which is given beside it in our words. What is
different in the emulator and does not matter to the package is left as it is.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import uvicorn
from fakesnow import macros, transforms
from fakesnow.conn import FakeSnowflakeConnection
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.server import app, shared_fs
from sqlglot import Expr, exp
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

# TYPEOF names what a VARIANT holds: VARCHAR, BOOLEAN, INTEGER, DECIMAL, DOUBLE, ARRAY, OBJECT or NULL_VALUE.
# TO_VARCHAR gives the text that a VARIANT holds without quotes, and anything else as JSON.
# GET takes its second argument as the name of a member as it is, dots included, and tells case.
# IS_ARRAY and IS_OBJECT are true for a VARIANT that holds one.
# FLATTEN has a row for each member of an object, with its KEY, and of an array, with its INDEX from 0; it has
# none for NULL.
MACROS = """
CREATE OR REPLACE MACRO {catalog}._mend_typeof(x) AS CASE json_type(x)
    WHEN 'BIGINT' THEN 'INTEGER' WHEN 'UBIGINT' THEN 'INTEGER' WHEN 'NULL' THEN 'NULL_VALUE'
    ELSE json_type(x) END;
CREATE OR REPLACE MACRO {catalog}._mend_to_varchar(x) AS
    CASE WHEN typeof(x) = 'JSON' THEN json_extract_string(CAST(x AS JSON), '$') ELSE CAST(x AS VARCHAR) END;
CREATE OR REPLACE MACRO {catalog}._mend_get(x, k) AS
    json_extract(x, '/' || replace(replace(k, '~', '~0'), '/', '~1'));
CREATE OR REPLACE MACRO {catalog}._mend_is(x, kind) AS json_type(x) = kind;
CREATE OR REPLACE MACRO {catalog}._mend_flatten(x) AS TABLE
    SELECT 0 AS SEQ, e.k AS KEY, e.k AS PATH, e.i AS INDEX, e.v AS VALUE, x AS THIS FROM (
        SELECT unnest(CASE json_type(x)
            WHEN 'OBJECT' THEN list_transform(
                map_entries(from_json(x, '"MAP(VARCHAR, JSON)"')),
                lambda m: struct_pack(k := m.key, i := NULL::BIGINT, v := m.value))
            WHEN 'ARRAY' THEN list_transform(
                CAST(x AS JSON[]),
                lambda m, n: struct_pack(k := NULL::VARCHAR, i := CAST(n - 1 AS BIGINT), v := m))
        END, max_depth := 2)
    ) AS e(k, i, v);
"""


def mended(statement: Expr) -> Expr:
    """Return a statement with the functions above in place of the emulator's, the innermost first."""
    # A temporary view is in the schema that its name says until the session ends. DuckDB has it in another.
    for temporary in list(statement.find_all(exp.TemporaryProperty)):
        temporary.pop()
    for expression in reversed(list(statement.bfs())):
        if (other := replacement(expression)) is not expression:
            expression.replace(other)
    return statement


def replacement(expression: Expr) -> Expr:  # noqa: PLR0911 - one for each function
    """Return what a single expression becomes."""
    match expression:
        case exp.Typeof():
            return exp.func("_mend_typeof", expression.this)
        case exp.ToChar() if not expression.args.get("format"):
            return exp.func("_mend_to_varchar", expression.this)
        case exp.GetExtract():
            return exp.func("_mend_get", expression.this, expression.expression)
        case exp.IsArray():
            return exp.func("_mend_is", expression.this, exp.Literal.string("ARRAY"))
        case exp.Anonymous() if expression.name.lower() == "is_object":
            return exp.func("_mend_is", *expression.expressions, exp.Literal.string("OBJECT"))
        case exp.Lateral() if isinstance(expression.this, exp.Explode):
            given = expression.this.this
            return exp.Table(
                this=exp.func(
                    "_mend_flatten", given.expression if isinstance(given, exp.Kwarg) else given
                ),
                alias=expression.args["alias"],
            )
    return expression


def merged(statement: Expr) -> list[Expr]:
    """Return what a statement becomes: MERGE is left to DuckDB, and a count comes after it."""
    if not isinstance(statement, exp.Merge):
        return [statement]
    return [statement, exp.select(exp.alias_(exp.Literal.number(0), "number of rows inserted"))]


def mend() -> None:
    """Put the mends in place."""
    creation_sql, transform = macros.creation_sql, FakeSnowflakeCursor._transform
    macros.creation_sql = lambda catalog: creation_sql(catalog) + MACROS.format(catalog=catalog)
    # MERGE takes a bare name among the VALUES to be inserted for a column of the source, as DuckDB's does.
    transforms.merge = merged
    FakeSnowflakeCursor._transform = lambda self, statement, params: transform(
        self, mended(statement), params
    )


async def rows(request: Request) -> JSONResponse:
    """Answer with the columns and rows of a query."""
    cursor = CONNECTION.cursor()
    cursor.execute(request.query_params["sql"])
    return JSONResponse(
        {
            "columns": [column.name for column in cursor.description],
            "rows": json.loads(json.dumps(cursor.fetchall(), default=str)),
        }
    )


if __name__ == "__main__":
    mend()
    CONNECTION: FakeSnowflakeConnection = shared_fs.connect("VITALLY", "PUBLIC")
    load = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for statement in load["create"]:
        CONNECTION.cursor().execute(statement)
    duckdb = shared_fs.duck_conn
    duckdb.execute(f"ATTACH '{load['file']}' AS load (READ_ONLY)")
    for statement in load["fill"]:
        duckdb.execute(statement)
    app.router.routes.append(Route("/rows", rows, methods=["GET"]))
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
