"""Write the rows of each source into Vitally, twice, and look at what Vitally holds then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from demo.processes import Vitally
from field.messages import Written
from field.programs import FieldError, Row, program, run, version
from field.servers import Servers, mariadb
from field.sources import COLUMNS, ROWS, SOURCES, Source
from field.storage import plain


def feed(source: Source, folder: Path, servers: Servers) -> Row:
    """Write the rows of a source into Vitally twice; return what came, and what each run did."""
    folder.mkdir()
    names, settings = source.command(folder, servers)
    command = [program(names[0], source.environment), *names[1:]] if len(names) == 1 else names
    config = folder / "tap.json"
    config.write_text(json.dumps(settings))
    command += ["--config", str(config)]
    if source.discovers:
        command += ["--catalog", str(_catalog(command, folder))]
    runs = []
    written = Written()
    for number in range(2):
        path = folder / f"run-{number}.singer"
        done = run(command, sink=path)
        if done.code:
            msg = f"{source.package} ended with {done.code}: {done.error}"
            raise FieldError(msg)
        with path.open() as lines:
            written.add(
                line for line in lines if json.loads(line)["type"] in {"SCHEMA", "RECORD", "STATE"}
            )
        runs.append(_write(path, written, folder, servers.vitally))
    (stream,) = (name for name, found in written.records.items() if found)
    first = min(written.records[stream].values(), key=lambda row: float(_of(row, "no")))
    schema = written.schemas[stream]
    accounts = {row["externalId"]: row for row in servers.vitally.expected_rows("accounts")}
    base = int(float(_of(first, "no"))) - 1
    return {
        "version": version(source.package, source.environment),
        "reads": source.holds,
        "stream": _without_number(stream),
        "key": list(written.keys[stream]),
        "columns": {
            name: {"type": _type(_of(schema, name)), "value": _of(first, name, json_text=True)}
            for name in COLUMNS
        },
        "runs": runs,
        "in Vitally": _held(accounts, base),
    }


def _catalog(command: list[str], folder: Path) -> Path:
    """Discover, select the table of customers in full, and return the file."""
    done = run([*command, "--discover"])
    if done.code:
        raise FieldError(done.error)
    found = json.loads(done.out)
    found["streams"] = [
        one for one in found["streams"] if "customers" in one["tap_stream_id"].lower()
    ][:1]
    for entry in found["streams"]:
        for about in entry["metadata"]:
            about["metadata"]["selected"] = True
            if not about["breadcrumb"]:
                about["metadata"]["replication-method"] = "FULL_TABLE"
    path = folder / "catalog.json"
    path.write_text(json.dumps(found))
    return path


def _write(path: Path, written: Written, folder: Path, vitally: Vitally) -> Row:
    """Run target-vitally; return its exit code and how many writes it made."""
    (stream,) = (name for name, found in written.records.items() if found)
    columns = {plain(name): name for name in written.schemas[stream]}
    traits = {
        name: columns[name] for name in COLUMNS if name not in {"no", "company"} and name in columns
    }
    mapping = {
        "resource": "accounts",
        "properties": {"externalId": columns["no"], "name": columns["company"]},
        "traits": traits,
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
        "traits": first["traits"],
    }


def _of(row: Mapping[str, Any], name: str, *, json_text: bool = False) -> Any:
    """Return the value of a column, however its name is spelled."""
    value = next((value for key, value in row.items() if plain(key) == name), None)
    if not json_text:
        return value
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _type(declared: Any) -> str:
    if not declared:
        return "not sent"
    types = declared.get("type") or [one.get("type") for one in declared.get("anyOf", [])]
    names = [types] if isinstance(types, str) else [name for name in types if name != "null"]
    return ", ".join([*map(str, names), *([declared["format"]] if "format" in declared else [])])


def _without_number(stream: str) -> str:
    return stream.rstrip("0123456789") if "-" not in stream else f"crm-{stream.partition('-')[2]}"


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
