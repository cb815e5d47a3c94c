"""Writes a table of users, as the sandbox has them, for a target: ``python -m benchmarks.rows``.

A process of its own, since what it holds must not count as anybody's peak of memory.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import requests

COLUMNS = ("externalId", "name", "email", "traits")


def users(url: str) -> Iterator[dict[str, Any]]:
    """Read all users that have an external id."""
    session = requests.Session()
    session.auth = ("sandbox", "")
    following: dict[str, Any] = {}
    while following is not None:
        asked = {"limit": 100, "sortBy": "createdAt", **following}
        page = session.get(f"{url}/resources/users", params=asked, timeout=60).json()
        rows = (row for row in page["results"] if row["externalId"])
        yield from ({name: row[name] for name in COLUMNS} for row in rows)
        if not page["next"]:
            return
        following = {"from": page["next"]}


def main() -> None:
    """Write the table; every so many rows have another name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--name", default="")
    parser.add_argument("--shuffled", action="store_true", help="in random order, always the same")
    args = parser.parse_args()
    columns: dict[str, Any] = {name: {"type": ["string", "null"]} for name in COLUMNS}
    columns["traits"] = {"type": "object"}
    about = {"schema": {"properties": columns}, "key_properties": ["externalId"]}
    rows: Iterable[dict[str, Any]] = islice(users(args.url), args.rows)
    if args.shuffled:
        lines = list(map(json.dumps, rows))
        random.Random(1).shuffle(lines)
        rows = map(json.loads, lines)
    with args.path.open("w", encoding="utf-8") as file:
        file.write(json.dumps({"type": "SCHEMA", "stream": "users", **about}) + "\n")
        number = 0
        for number, row in enumerate(rows, 1):
            if args.every and number % args.every == 0:
                row["name"] = f"{args.name} {number}"
            file.write(json.dumps({"type": "RECORD", "stream": "users", "record": row}) + "\n")
        file.write(json.dumps({"type": "STATE", "value": {"rows": number}}) + "\n")
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main()
