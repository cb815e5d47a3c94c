"""Run the loaders and extractors to paste, each in the project of its page, by Meltano."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import requests
import yaml

from field import storage
from field.programs import FieldError, Row, checked, program, run
from field.runners import EXAMPLES, project, variables
from field.servers import S3_VARIABLES, Servers, mariadb, mariadb_run
from field.storage import Destination, Reader

CUSTOMERS: Final = (
    {"customer_no": "a-1", "company": "Example Mills", "plan": "gold", "arr_eur": 1200.5},
    {"customer_no": "a-2", "company": "Müller & Söhne", "plan": "free", "arr_eur": 0},
)
FLAT: Final = {"TAP_VITALLY_FLATTENING_ENABLED": "true", "TAP_VITALLY_FLATTENING_MAX_DEPTH": "1"}


def _postgres(servers: Servers) -> dict[str, str]:
    found = {
        "HOST": "127.0.0.1",
        "PORT": str(servers.postgres_port),
        "USER": "postgres",
        "PASSWORD": "sandbox",
        "DATABASE": "postgres",
    }
    return {f"TARGET_POSTGRES_{name}": value for name, value in found.items()}


def _s3(servers: Servers) -> dict[str, str]:
    requests.put(f"{servers.s3}/vitally", timeout=60).raise_for_status()
    own = {"S3_BUCKET": "vitally", "AWS_ENDPOINT_URL": servers.s3}
    return {**{f"TARGET_S3_JSONL_{name}": value for name, value in own.items()}, **S3_VARIABLES}


LOADERS: Final[Mapping[str, tuple[Callable[[Servers], dict[str, str]], Reader, str]]] = {
    "target-postgres": (_postgres, storage.in_postgres, "vitally"),
    "target-duckdb": (lambda _: {}, storage.in_duckdb, "."),
    "target-jsonl": (lambda _: {}, storage.json_lines, "output"),
    "target-csv": (lambda _: FLAT, storage.comma_separated, "output"),
    "target-s3-jsonl": (_s3, storage.from_bucket("jsonl"), "vitally"),
}
"""The variables that the reader sets, what reads the rows back, and the schema, bucket or folder."""


def load(name: str, folder: Path, servers: Servers) -> Row:
    """Run the project of "Getting started" with a loader of the page in place of its own."""
    home = project(folder, url=servers.vitally.url, loader=name)
    set_by_reader, read, place = LOADERS[name]
    known = {**variables(), **set_by_reader(servers)}
    done = run([program("meltano"), "run", "tap-vitally", name], folder=home, variables=known)
    loaded = read(Destination(home / place, servers), {"accounts": {"id": {}}})
    found = {row["id"] for row in loaded.rows.get("accounts", [])}
    expected = {row["id"] for row in servers.vitally.expected_rows("accounts")}
    return _ended(done.code, done.error, "all" if found == expected else "not all")


def _in_mariadb(home: Path, server: Path) -> None:
    del home
    rows = ", ".join(str(tuple(row.values())) for row in CUSTOMERS)
    inserted = f"INSERT INTO crm.customers VALUES {rows};"  # noqa: S608 - of our own rows
    statements = (
        "CREATE DATABASE crm CHARACTER SET utf8mb4; CREATE TABLE crm.customers"
        " (customer_no varchar(10) PRIMARY KEY, company varchar(100), plan varchar(10), arr_eur double);"
        f" {inserted} CREATE USER IF NOT EXISTS reader@'127.0.0.1' IDENTIFIED BY 'sandbox';"
        " GRANT SELECT ON crm.* TO reader@'127.0.0.1';"
    )
    if mariadb_run(server, statements):
        msg = "MariaDB does not take the table of customers"
        raise FieldError(msg)


def _in_csv(home: Path, _: Path) -> None:
    with (home / "customers.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, CUSTOMERS[0])
        writer.writeheader()
        writer.writerows(CUSTOMERS)


def _in_excel(home: Path, _: Path) -> None:
    code = (
        "import json, sys, openpyxl\n"
        "book = openpyxl.Workbook()\n"
        "book.active.title = 'Sheet1'\n"
        "for row in json.load(sys.stdin): book.active.append(row)\n"
        "book.save('customers.xlsx')\n"
    )
    cells = home / "cells.json"
    cells.write_text(json.dumps([list(CUSTOMERS[0]), *(list(row.values()) for row in CUSTOMERS)]))
    python = program("python", "tap-spreadsheets")
    checked(run([python, "-c", code], source=cells, folder=home))


EXTRACTORS: Final[Mapping[str, tuple[str, str, Callable[[Path, Path], None]]]] = {
    "tap-mysql": ("pipelinewise-tap-mysql", "crm-customers", _in_mariadb),
    "tap-excel": ("tap-spreadsheets", "customers", _in_excel),
    "tap-csv": ("tap-spreadsheets", "customers", _in_csv),
}
"""The environment of each, the name of its stream, and what makes its source."""


def push(name: str, folder: Path, servers: Servers, server: Path) -> Row:
    """Run the project of "Writing" with an extractor of the page in place of its own, twice."""
    folder.mkdir()
    environment, stream, make = EXTRACTORS[name]
    content = yaml.safe_load((EXAMPLES / "push.yml").read_text(encoding="utf-8"))
    pasted = yaml.safe_load((EXAMPLES / "extractors.yml").read_text(encoding="utf-8"))
    (extractor,) = (one for one in pasted["plugins"]["extractors"] if one["name"] == name)
    extractor["executable"] = program(extractor["executable"], environment)
    (loader,) = content["plugins"]["loaders"]
    loader["executable"] = program("target-vitally")
    loader["config"]["streams"] = {stream: loader["config"]["streams"]["customers"]}
    for plugin in (extractor, loader):
        del plugin["pip_url"]
    content["plugins"] = {"extractors": [extractor], "loaders": [loader]}
    (folder / "meltano.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    make(folder, server)
    known = {
        **variables(),
        "TARGET_VITALLY_API_KEY": "sandbox",
        "TARGET_VITALLY_API_URL": servers.vitally.url,
        "TARGET_VITALLY_DRY_RUN": "false",
        "TARGET_VITALLY_FIRST_PUSH": "true",
        "TAP_MYSQL_HOST": "127.0.0.1",
        "TAP_MYSQL_PORT": str(servers.mariadb_port),
        "TAP_MYSQL_USER": "reader",
        "TAP_MYSQL_PASSWORD": "sandbox",
    }
    answer: Row = {}
    for number in ("first run", "second run"):
        servers.vitally.requests_made()
        command = [program("meltano"), "run", name, "target-vitally"]
        done = run(command, folder=folder, variables=known)
        answer[number] = _ended(done.code, done.error, servers.vitally.writes_made())
    for row in servers.vitally.expected_rows("accounts"):
        if row["externalId"] in {customer["customer_no"] for customer in CUSTOMERS}:
            change = {"op": "delete", "resource": "accounts", "id": row["id"]}
            requests.post(f"{servers.vitally.url}/control/change", json=change, timeout=60)
    return answer


def _ended(code: int, error: str, found: Any) -> Row:
    return {"exit code": code, "found": found, **({"error": error[:300]} if code else {})}


def paste_all(servers: Servers, folder: Path, only: str = "") -> Row:
    """Run all projects to paste, or those in whose name a text stands."""
    results: Row = {}
    for name in LOADERS:
        if only in name:
            print(f"  {name}", flush=True)
            results[name] = load(name, folder / name, servers)
    server = folder / "server"
    server.mkdir()
    with mariadb(server) as port:
        known = Servers(servers.vitally, servers.postgres, servers.postgres_port, servers.s3, port)
        for name in EXTRACTORS:
            if only in name:
                print(f"  {name}", flush=True)
                results[name] = push(name, folder / name, known, server)
    return results
