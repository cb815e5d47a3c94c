"""Tables with the types that are not in every database: what a tap makes of them differs most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAME: Final = "Odd-Rows"
KEY: Final = ("Region", "No")
POSTGRES: Final[Mapping[str, tuple[str, str]]] = {
    "No": ("integer", "the first number"),
    "Region": ("text", "'eu'"),
    "Company": ("text", "'Example Mills'"),
    "Price": ("numeric(38, 10)", "12345678901234567890.0123456789"),
    "Without Zone": ("timestamp", "'2026-01-31 23:30:00.123456'"),
    "Seldom": ("date", "'0001-01-01'"),
    "Forever": ("timestamp", "'infinity'"),
    "At": ("time", "'23:30:00'"),
    "Yes": ("smallint", "1"),
    "Tags": ("text[]", "ARRAY['a', NULL, 'ä,b']"),
    "Counts": ("integer[]", "ARRAY[1, 2]"),
    "Data": ("jsonb", """'{"a": [1, null, {"b": 0.1}]}'"""),
    "Tier": ("tier", "'gold'"),
    "Raw": ("bytea", r"'\x00ff'"),
    "Ref": ("uuid", "'00000000-0000-4000-8000-000000000001'"),
    "Term": ("interval", "'14 months 3 days'"),
    "Not A Number": ("double precision", "'NaN'"),
}
"""Type and value of each column in PostgreSQL."""
MARIADB: Final[Mapping[str, tuple[str, str]]] = {
    "No": ("integer", "the first number"),
    "Region": ("varchar(10)", "'eu'"),
    "Company": ("varchar(100)", "'Example Mills'"),
    "Price": ("decimal(38, 10)", "12345678901234567890.0123456789"),
    "Without Zone": ("datetime(6)", "'2026-01-31 23:30:00.123456'"),
    "With Zone": ("timestamp NULL", "'2026-01-31 23:30:00'"),
    "Seldom": ("date", "'1000-01-01'"),
    "At": ("time", "'34:30:00'"),
    "Yes": ("tinyint(1)", "2"),
    "Bits": ("bit(1)", "b'1'"),
    "Data": ("json", """'{"a": [1, null, {"b": 0.1}]}'"""),
    "Tier": ("enum('gold', 'silver')", "'gold'"),
    "Several": ("set('a', 'b')", "'a,b'"),
    "Raw": ("varbinary(10)", "x'00ff'"),
    "Year": ("year", "2026"),
    "Long": ("bigint unsigned", "18446744073709551615"),
}
"""The same for MariaDB."""


def in_postgres(schema: str, first: int) -> str:
    """Return the statements that make the table: one row with values, one without."""
    return f"CREATE TYPE tier_{schema} AS ENUM ('gold', 'silver'); " + _statements(
        f'{schema}."{NAME}"',
        '"',
        {n: (f"tier_{schema}" if kind == "tier" else kind, v) for n, (kind, v) in POSTGRES.items()},
        first,
    )


def in_mariadb(schema: str, first: int) -> str:
    """Return the same for MariaDB."""
    return _statements(f"{schema}.`{NAME}`", "`", MARIADB, first)


def _statements(table: str, quote: str, columns: Mapping[str, tuple[str, str]], first: int) -> str:
    declared = ", ".join(f"{quote}{name}{quote} {kind}" for name, (kind, _) in columns.items())
    key = ", ".join(f"{quote}{name}{quote}" for name in KEY)
    _, *full = (value for _, value in columns.values())
    empty = ["'eu'", "'Nothing Else Ltd'", *["NULL"] * (len(columns) - len(KEY) - 1)]
    rows = ", ".join(f"({no}, {', '.join(row)})" for no, row in enumerate((full, empty), first))
    inserted = f"INSERT INTO {table} VALUES {rows};"  # noqa: S608 - of our own rows
    return f"CREATE TABLE {table} ({declared}, PRIMARY KEY ({key})); {inserted}"
