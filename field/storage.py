"""Read back what a loader has stored: the rows of each stream, their columns named as the properties."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import duckdb
import psycopg
import requests
from psycopg import sql
from psycopg.types.json import set_json_loads

from field.messages import exact
from field.programs import Row
from field.servers import Servers


@dataclass
class Loaded:
    """What is in a destination."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    """What each property is called there."""
    types: dict[str, dict[str, str]] = field(default_factory=dict)
    """The column type of each property, by stream."""


@dataclass(frozen=True)
class Destination:
    """Where one loader stores: a folder, and a schema and bucket of the same name."""

    folder: Path
    servers: Servers

    @property
    def name(self) -> str:
        """A name that is good for a schema and a bucket."""
        return re.sub(r"[^a-z0-9]", "", self.folder.name.lower())


Schemas = Mapping[str, Mapping[str, Any]]
Reader = Callable[[Destination, Schemas], Loaded]


def plain(name: str) -> str:
    """Return a name in which only letters and digits count."""
    return re.sub(r"[\W_]", "", name).lower()


def collect(
    schemas: Schemas,
    tables: Iterable[tuple[str, Iterable[Row]]],
    types: Mapping[str, Mapping[str, str]] | None = None,
) -> Loaded:
    """Put rows under their streams and properties, however the loader has spelled those."""
    loaded = Loaded()
    streams = {plain(stream): stream for stream in schemas}
    for table, rows in tables:
        stream = streams.get(plain(table))
        if stream is None:
            continue
        names = {plain(name): name for name in schemas[stream]}
        target = loaded.rows.setdefault(stream, [])
        for row in rows:
            known = {column: names[plain(column)] for column in row if plain(column) in names}
            loaded.columns.update({name: column for column, name in known.items()})
            target.append({name: row[column] for column, name in known.items()})
        for column, kind in (types or {}).get(table, {}).items():
            if plain(column) in names:
                loaded.types.setdefault(stream, {})[names[plain(column)]] = kind
    return loaded


def json_lines(destination: Destination, schemas: Schemas) -> Loaded:
    """Read files of JSON records, with or without line breaks between them."""
    return collect(
        schemas, ((name, _documents(text)) for name, text in _files(destination, "json*"))
    )


def messages(destination: Destination, schemas: Schemas) -> Loaded:
    """Read files that hold Singer messages, each of them a record."""
    return collect(
        schemas,
        (
            (
                name,
                [
                    one["record"]
                    for one in _documents(text)
                    if one.get("type", "RECORD") == "RECORD"
                ],
            )
            for name, text in (*_files(destination, "json*"), *_files(destination, "singer.gz"))
        ),
    )


def comma_separated(destination: Destination, schemas: Schemas) -> Loaded:
    """Read CSV files."""
    return collect(schemas, ((name, _table(text)) for name, text in _files(destination, "csv")))


def from_bucket(form: str) -> Reader:
    """Return what reads a bucket as files are read."""

    def read(destination: Destination, schemas: Schemas) -> Loaded:
        tables = ((_stem(key), text) for key, text in _objects(destination))
        rows = _table if form == "csv" else _documents
        return collect(schemas, ((name, rows(text)) for name, text in tables))

    return read


def in_duckdb(destination: Destination, schemas: Schemas) -> Loaded:
    """Read a DuckDB file."""
    path = destination.folder / "warehouse.duckdb"
    if not path.exists():
        return Loaded()
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [
            row[0]
            for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        ]
        tables, types = {}, {}
        for name in names:
            table = connection.table(name)
            tables[name] = [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
            types[name] = dict(zip(table.columns, map(str, table.types), strict=True))
    return collect(schemas, tables.items(), types)


def in_postgres(destination: Destination, schemas: Schemas) -> Loaded:
    """Read a schema of PostgreSQL."""
    with psycopg.connect(destination.servers.postgres) as connection:
        set_json_loads(exact, connection)
        columns = connection.execute(
            "SELECT table_name, column_name, CASE data_type WHEN 'ARRAY' THEN substr(udt_name, 2) || '[]'"
            " ELSE data_type END FROM information_schema.columns WHERE table_schema = %s",
            (destination.name,),
        ).fetchall()
        types: dict[str, dict[str, str]] = {}
        for table, column, kind in columns:
            types.setdefault(table, {})[column] = kind
        tables = {}
        for table, names in types.items():
            query = sql.SQL("SELECT {} FROM {}").format(
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.Identifier(destination.name, table),
            )
            found = connection.execute(query).fetchall()
            tables[table] = [dict(zip(names, row, strict=True)) for row in found]
    return collect(schemas, tables.items(), types)


S3: Final = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def _objects(destination: Destination) -> Iterator[tuple[str, str]]:
    bucket = f"{destination.servers.s3}/{destination.name}"
    listed = requests.get(bucket, params={"list-type": "2"}, timeout=60)
    listed.raise_for_status()
    for found in ET.fromstring(listed.content).iter(f"{S3}Contents"):  # noqa: S314 - of our own server
        key = found.findtext(f"{S3}Key") or ""
        # The server asks for a signature of whatever kind.
        answer = requests.get(
            f"{bucket}/{key}", headers={"Authorization": "AWS sandbox:"}, timeout=60
        )
        answer.raise_for_status()
        yield key, answer.content.decode()


def _files(destination: Destination, suffix: str) -> Iterator[tuple[str, str]]:
    """Yield the stream and text of each file, the oldest first."""
    paths = sorted(
        destination.folder.rglob(f"*.{suffix}"), key=lambda path: path.stat().st_mtime_ns
    )
    for path in paths:
        own = path.parent == destination.folder
        data = path.read_bytes()
        text = (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()
        yield (_stem(path.name) if own else path.parent.name), text


def _stem(name: str) -> str:
    """Return the stream that a file is named after, without what tells its run."""
    return re.split(r"[-.]", name.rpartition("/")[2], maxsplit=1)[0]


def _documents(text: str) -> Iterator[Row]:
    decoder = json.JSONDecoder(parse_float=exact_number)
    at = 0
    while at < len(text):
        if text[at].isspace() or text[at] == ",":
            at += 1
            continue
        found, at = decoder.raw_decode(text, at)
        yield from found if isinstance(found, list) else [found]


def exact_number(text: str) -> Any:
    """Decode a number with all its digits."""
    return exact(text)


def _table(text: str) -> list[Row]:
    csv.field_size_limit(10_000_000)
    return list(csv.DictReader(io.StringIO(text, newline="")))
