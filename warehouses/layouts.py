"""How loaders lay out tables in Snowflake and BigQuery."""

from __future__ import annotations

from typing import Final

from warehouses.emulators import Layout

SNOWFLAKE: Final = "VITALLY.{}.{}"
COLUMNS: Final = {
    "JSON": ("VARIANT", "{}"),
    "TIMESTAMP": ("TIMESTAMP_NTZ", "{}"),
    "DOUBLE": ("FLOAT", "{}"),
    "HUGEINT": ("NUMBER(38,0)", "{}"),
}
UPPER: Final = Layout("snowflake", COLUMNS, str.upper, home=SNOWFLAKE)
"""As target-snowflake makes them: CREATEDAT, with what is an object or array as VARIANT."""
QUOTED: Final = Layout(
    "snowflake",
    {
        **COLUMNS,
        "JSON": ("VARCHAR", "CAST({} AS VARCHAR)"),
        "TIMESTAMP": ("TIMESTAMP_TZ", "{} AT TIME ZONE 'UTC'"),
    },
    home=SNOWFLAKE,
)
"""As other loaders and settings make them: "createdAt", with JSON as text and moments with a zone."""

BIGQUERY: Final = '"vitally__{}".{}'
PLAIN: Final = {
    "VARCHAR": ("STRING", "{}"),
    "TIMESTAMP": ("TIMESTAMP", "{} AT TIME ZONE 'UTC'"),
    "DOUBLE": ("FLOAT64", "{}"),
    "HUGEINT": ("INT64", "{}"),
    "BIGINT": ("INT64", "{}"),
    "BOOLEAN": ("BOOL", "{}"),
    "DECIMAL(18,3)": ("NUMERIC", "{}"),
}
AS_TEXT: Final = {**PLAIN, "JSON": ("STRING", "CAST({} AS VARCHAR)")}
REPEATED: Final = Layout(
    "bigquery",
    {
        **PLAIN,
        "JSON": ("JSON", "{}"),
        "array": ("ARRAY<JSON>", "coalesce(CAST({} AS JSON[]), [])"),
    },
    quote="`",
    home=BIGQUERY,
)
"""As target-bigquery makes them with `denormalized`: createdAt, traits as JSON, arrays REPEATED."""
TEXT: Final = Layout("bigquery", AS_TEXT, str.lower, quote="`", home=BIGQUERY)
"""As loaders make them that know no JSON: createdat, objects and arrays as text."""
STRINGS: Final = Layout(
    "bigquery",
    {
        **AS_TEXT,
        "array": ("ARRAY<STRING>", "[json_extract_string(e, '$') FOR e IN CAST({} AS JSON[])]"),
    },
    str.lower,
    quote="`",
    home=BIGQUERY,
)
"""As pipelinewise-target-bigquery makes them: arrays REPEATED, with the text of each element."""
RECORDS: Final = Layout("bigquery", PLAIN, records="JSON", quote="`", home=BIGQUERY)
"""As target-bigquery makes them by default: whole records in one column of JSON."""
