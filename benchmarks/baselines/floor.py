"""The floor: a loop of ``requests`` and ``json`` that writes what it reads, one row a line."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import requests


def main() -> None:
    """Read one list to its end."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--param", action="append", default=[])
    args = parser.parse_args()
    session = requests.Session()
    session.auth = ("sandbox", "")
    params: dict[str, Any] = {"limit": "100", **dict(p.split("=", 1) for p in args.param)}
    while True:
        page = session.get(args.url, params=params, timeout=60).json()
        for row in page["results"]:
            sys.stdout.write(json.dumps(row) + "\n")
        if not page["next"]:
            return
        params["from"] = page["next"]


if __name__ == "__main__":
    main()
