"""The parts of the field, each run in a folder of its own and compared with its last results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from field.feeding import feed_all
from field.loading import load_all
from field.pasted import paste_all
from field.programs import Row
from field.schedulers import schedule_all
from field.servers import Servers, servers
from field.settings import ask_all
from field.workspaces import sync_all

RESULTS: Final = Path(__file__).parent / "results"
ACCOUNTS: Final = 25
PARTS: Final[Mapping[str, Callable[[Servers, Path, str], Row]]] = {
    "workspaces": sync_all,
    "loaders": load_all,
    "schedulers": schedule_all,
    "sources": feed_all,
    "pasted": paste_all,
    "settings": ask_all,
}
"""The longest come first."""


def run_part(part: str, folder: Path, only: str) -> bool:
    """Run a part in a folder of its own; say and return whether something is not as in the results.

    The new results replace them.
    """
    print(f"{part}:", flush=True)
    began = time.monotonic()
    folder.mkdir()
    with servers(folder, ACCOUNTS) as running:
        found = PARTS[part](running, folder, only)
    print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    if only:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return False
    path = RESULTS / f"{part}.json"
    known = json.loads(path.read_text(encoding="utf-8"))["programs"] if path.exists() else {}
    data = {"date": datetime.now(UTC).date().isoformat(), "programs": found}
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    changes = list(differences(part, known, json.loads(json.dumps(found))))
    for change in changes:
        print(f"  not as before: {change}; now run make docs")
    return bool(changes)


def differences(name: str, before: Any, after: Any) -> Iterator[str]:
    """Yield what is different in two results, a line each."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(f"{name} > {key}", before.get(key), after.get(key))
    elif before != after:
        yield f"{name} was {before}, is {after}"
