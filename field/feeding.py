"""Write the rows of each source into Vitally, twice, and look at what Vitally holds then."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from demo.processes import Vitally
from field.messages import Written
from field.odd_tables import KEY, MARIADB, NAME, POSTGRES
from field.programs import FieldError, Row, checked, program, run, version
from field.servers import Servers, mariadb
from field.sources import COLUMNS, ROWS, SOURCES, Source
from field.storage import plain
from vitally_api.decoding import encoded


@dataclass(frozen=True)
class Piped:
    """What a tap has sent of one table, and what became of it."""

    written: Written
    stream: str
    runs: list[Row]

    @property
    def records(self) -> list[Row]:
        """The rows, by their number."""
        rows = self.written.records[self.stream].values()
        return sorted(rows, key=lambda row: float(_of(row, "no")))

    @property
    def schema(self) -> Row:
        """The declared properties."""
        return self.written.schemas[self.stream]

    def columns(self, names: Iterable[str]) -> Row:
        """Return type and value of some columns in the first row."""
        first = self.records[0]
        return {
            name: {
                "type": _type(_of(self.schema, name)),
                "value": _of(first, name, json_text=True),
            }
            for name in names
        }


def feed(source: Source, folder: Path, servers: Servers) -> Row:
    """Write the rows of a source into Vitally twice; return what came, and what each run did."""
    folder.mkdir()
    names, settings = source.command(folder, servers)
    command = [program(names[0], source.environment), *names[1:]] if len(names) == 1 else names
    config = folder / "tap.json"
    config.write_text(json.dumps(settings))
    command += ["--config", str(config)]
    found = _piped(source, command, "customers", folder, servers.vitally)
    accounts = {row["externalId"]: row for row in servers.vitally.expected_rows("accounts")}
    base = int(float(_of(found.records[0], "no"))) - 1
    answer = {
        "version": version(source.package, source.environment),
        "reads": source.holds,
        "stream": _without_number(found.stream),
        "key": list(found.written.keys[found.stream]),
        "columns": found.columns(COLUMNS),
        "runs": found.runs,
        "in Vitally": _held(accounts, base),
    }
    if source.has_odd_rows:
        answer["odd rows"] = _odd(source, command, folder, servers.vitally)
    return answer


def _odd(source: Source, command: list[str], folder: Path, vitally: Vitally) -> Row:
    """Write the table of odd types into Vitally twice; return what came of it."""
    types = POSTGRES if source.holds == "PostgreSQL" else MARIADB
    found = _piped(source, command, NAME, folder, vitally)
    accounts = {row["externalId"]: row for row in vitally.expected_rows("accounts")}
    first = found.records[0]
    key = "-".join(str(_of(first, plain(name))) for name in KEY)
    held = accounts.get(key, {"traits": {}})["traits"]
    sent = found.columns(map(plain, types))
    columns = {
        name: {"declared": kind, **sent[plain(name)], "in Vitally": held.get(plain(name))}
        for name, (kind, _) in types.items()
        if name not in {*KEY, "Company"}
    }
    return {
        "stream": _without_number(found.stream),
        "key": sorted(found.written.keys[found.stream]),  # one tap has them in any order
        "columns": columns,
        "runs": found.runs,
    }


def _piped(source: Source, command: list[str], table: str, folder: Path, vitally: Vitally) -> Piped:
    """Run a tap over one table, twice, and pipe what it sends into the target."""
    if source.discovers:
        command = [*command, "--catalog", str(_catalog(command, folder, table))]
    runs = []
    written = Written()
    for number in range(2):
        path = folder / f"{table}-{number}.singer"
        done = run(command, sink=path)
        if done.code:
            msg = f"{source.package} ended with {done.code}: {done.error}"
            raise FieldError(msg)
        with path.open() as lines:
            written.add(
                line for line in lines if json.loads(line)["type"] in {"SCHEMA", "RECORD", "STATE"}
            )
        (stream,) = (name for name, found in written.records.items() if found)
        runs.append(_write(path, stream, written.schemas[stream], folder, vitally))
    return Piped(written, stream, runs)


def _catalog(command: list[str], folder: Path, table: str) -> Path:
    """Discover, select a table in full, and return the file."""
    done = checked(run([*command, "--discover"]))
    found = json.loads(done.out)
    found["streams"] = [
        one for one in found["streams"] if table.lower() in one["tap_stream_id"].lower()
    ][:1]
    for entry in found["streams"]:
        for about in entry["metadata"]:
            about["metadata"]["selected"] = True
            if not about["breadcrumb"]:
                about["metadata"]["replication-method"] = "FULL_TABLE"
    path = folder / f"{table}.catalog.json"
    path.write_text(json.dumps(found))
    return path


def _write(path: Path, stream: str, schema: Row, folder: Path, vitally: Vitally) -> Row:
    """Run target-vitally; return its exit code and how many writes it made."""
    # What a tap says of itself, such as the path of a file, is another in each run.
    columns = {plain(name): name for name in schema if not name.startswith("_sdc")}
    key = [columns.pop(plain(name)) for name in KEY if plain(name) in columns]
    mapping = {
        "resource": "accounts",
        "properties": {"externalId": key if key[1:] else key[0], "name": columns.pop("company")},
        "traits": columns,
        "unknown": "ignore",
    }
    config = folder / "target.json"
    config.write_text(
        json.dumps(
            {
                "api_key": "sandbox",
                "api_url": vitally.url,
                "streams": {stream: mapping},
                "first_push": True,
            }
        )
    )
    requests.delete(f"{vitally.url}/control/requests", timeout=60).raise_for_status()
    done = run([program("target-vitally"), "--config", str(config)], source=path)
    answer: Row = {"exit code": done.code, "writes": vitally.writes_made()}
    if done.code:
        answer["error"] = done.error[:300]
    return answer


def _held(accounts: Mapping[str, Row], base: int) -> Row:
    """Return how many rows arrived, how many names are as they were, and the traits of the first row."""
    found = {row[0]: accounts.get(str(base + row[0])) for row in ROWS}
    named = sum(bool(found[row[0]]) and found[row[0]]["name"] == row[1] for row in ROWS)  # type: ignore[index]
    first = found[1] or {"traits": {}}
    return {
        "accounts": sum(map(bool, found.values())),
        "names as they were": named,
        "traits": dict(sorted(first["traits"].items())),
    }


def _of(row: Mapping[str, Any], name: str, *, json_text: bool = False) -> Any:
    """Return the value of a column, however its name is spelled."""
    value = next((value for key, value in row.items() if plain(key) == name), None)
    return encoded(value).decode() if json_text else value


def _type(declared: Any) -> str:
    if not declared:
        return "not sent"
    types = declared.get("type") or [one.get("type") for one in declared.get("anyOf", [])]
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return ", ".join([*map(str, names), *([declared["format"]] if "format" in declared else [])])


def _without_number(stream: str) -> str:
    """Return the name of a stream as it is where the schema is called ``crm``."""
    return re.sub(r"^(crm)\d+-", r"\1-", stream)


def feed_all(servers: Servers, folder: Path, only: str = "") -> Row:
    """Run all sources, or those in whose name a text stands; return what each did."""
    home = folder / "sources"
    home.mkdir()
    results: Row = {}
    with mariadb(home) as port:
        known = Servers(servers.vitally, servers.postgres, servers.postgres_port, servers.s3, port)
        for source in SOURCES:
            if only in source.name:
                print(f"  {source.name}", flush=True)
                try:
                    results[source.name] = feed(source, home / source.name, known)
                except FieldError as error:
                    results[source.name] = {"error": str(error)}
    return results
