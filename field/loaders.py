"""The loaders: how each is set, where it stores, and those that are not fit, with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from field import storage
from field.programs import Row
from field.servers import S3_VARIABLES
from field.storage import Destination, Reader


@dataclass(frozen=True)
class Loader:
    """One loader."""

    package: str
    executable: str
    settings: Callable[[Destination], Row]
    read: Reader
    within: str = ""
    """Its environment, by default named after the package."""
    shape: str = "nested"
    """``nested``, ``flat`` (JSON text for objects and arrays), ``full`` (every property in each record)"""
    variables: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def environment(self) -> str:
        """The environment it runs in."""
        return self.within or self.package

    @property
    def name(self) -> str:
        """What the results call it."""
        return self.package


def _database(destination: Destination) -> Row:
    return {
        "host": "127.0.0.1",
        "port": destination.servers.postgres_port,
        "user": "postgres",
        "password": "sandbox",
    }


def _postgres(destination: Destination) -> Row:
    own = {"database": "postgres", "default_target_schema": destination.name}
    return {**_database(destination), **own}


def _pipelinewise(destination: Destination) -> Row:
    own = {"dbname": "postgres", "default_target_schema": destination.name}
    return {**_database(destination), **own}


def _datamill(destination: Destination) -> Row:
    own = {
        "postgres_database": "postgres",
        "postgres_schema": destination.name,
        "disable_collection": True,
    }
    renamed = {"user": "username"}
    base = {
        f"postgres_{renamed.get(name, name)}": value
        for name, value in _database(destination).items()
    }
    return {**base, **own}


def _duckdb(destination: Destination) -> Row:
    return {
        "path": str(destination.folder / "warehouse.duckdb"),
        "default_target_schema": "main",
        "add_metadata_columns": True,
    }


def _s3(destination: Destination) -> Row:
    return {
        "s3_bucket": destination.name,
        "aws_endpoint_url": destination.servers.s3,
        "temp_dir": str(destination.folder),
    }


LOADERS: Final = (
    Loader(
        "meltanolabs-target-postgres",
        "target-postgres",
        _postgres,
        storage.in_postgres,
        "target-postgres",
    ),
    Loader(
        "target-duckdb",
        "target-duckdb",
        _duckdb,
        storage.in_duckdb,
        note="with `duckdb==1.1.3` and `add_metadata_columns: true`",
    ),
    Loader(
        "target-jsonl",
        "target-jsonl",
        lambda destination: {
            "destination_path": str(destination.folder),
            "do_timestamp_file": False,
        },
        storage.json_lines,
    ),
    Loader(
        "target-singer-jsonl",
        "target-singer-jsonl",
        lambda destination: {"destination": "local", "local": {"folder": str(destination.folder)}},
        storage.messages,
        note="with `setuptools<81`",
    ),
    Loader(
        "target-localjson",
        "target-localjson",
        lambda destination: {"dest_dir": str(destination.folder), "disable_collection": True},
        storage.messages,
        note="with `setuptools<81`; one file for each record",
    ),
    Loader(
        "target-json",
        "target-json",
        lambda _: {},
        storage.json_lines,
        note="writes into the folder it is started in; nothing stands between two records",
    ),
    Loader(
        "target-s3-jsonl",
        "target-s3-jsonl",
        lambda destination: {
            **_s3(destination),
            "path_template": "{stream}-{date_time:%Y%m%dT%H%M%S%f}.jsonl",
        },
        storage.from_bucket("jsonl"),
        variables=S3_VARIABLES,
    ),
    Loader(
        "meltanolabs-target-csv",
        "target-csv",
        lambda destination: {
            "output_path": str(destination.folder),
            "file_naming_scheme": "{stream_name}-{timestamp}.csv",
            "timestamp_format": "%Y%m%dT%H%M%S%f",
        },
        storage.comma_separated,
        "target-csv",
        shape="flat",
        note='with `file_naming_scheme: "{stream_name}-{timestamp}.csv"`, `timestamp_format` with `%f`',
    ),
    Loader("pipelinewise-target-postgres", "target-postgres", _pipelinewise, storage.in_postgres),
    Loader(
        "singer-target-postgres",
        "target-postgres",
        _datamill,
        storage.in_postgres,
        shape="flat",
        note="with `psycopg2-binary` 2.9 in place of the release it asks for",
    ),
    Loader(
        "pipelinewise-target-s3-csv",
        "target-s3-csv",
        _s3,
        storage.from_bucket("csv"),
        shape="full",
        variables=S3_VARIABLES,
        note="installed by `uv`: pip refuses it on Python 3.11 and newer",
    ),
)

UNFIT: Final = {
    "target-duckdb 0.8.0 with duckdb 1.3 or newer": "loses the first row of each batch, and says nothing",
    "target-postgres 1.1.3": "makes 0, 0.0 and false null, and changes characters beyond ASCII",
    "target-sqlite 0.2.0, target-csv 0.3.0": "do not run on Python 3.10 and newer",
    "target-avro 0.2.0, plinxore-target-s3 0.1.7": "cut the milliseconds off moments",
    "target-parquet 0.0.1": "writes all streams into one file, named after the last",
    "thk-target-mysql 0.1.3, macrometa-target-mysql": "never update a row, and numbers lose digits",
    "target-universal-file 0.0.1": "does not run but for CSV",
    "target-mysql 0.8.0, singer-target-mysql 0.0.2": "no program in the package",
    "target-gcs, scalefree-target-s3-json, target-s3-avro, target-s3-delta": "do not start, or take no rows",
}
"""Loaders that were run by hand in November 2026 and are not run again, with the reason."""
