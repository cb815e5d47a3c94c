"""The floor: a loop of ``requests`` and ``json`` that writes what it reads, one row a line."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import requests


def main() -> None:
    """Read some lists to their ends, one after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("urls", nargs="+", help="the first pages")
    session = requests.Session()
    session.auth = ("sandbox", "")
    for url in parser.parse_args().urls:
        following: dict[str, Any] = {}
        while True:
            page = session.get(url, params=following, timeout=60).json()
            for row in page["results"]:
                sys.stdout.write(json.dumps(row) + "\n")
            if not page["next"]:
                break
            following = {"from": page["next"]}


if __name__ == "__main__":
    main()
