"""Run the recipe of docs/many-workspaces.md: twenty workspaces, one of them with a wrong key."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import psycopg

from demo.processes import ROOT, Vitally, running
from field.programs import Done, Row, program, run
from field.runners import EXAMPLES, project, sh, variables
from field.servers import Servers, free_port, wait_for

NAMES: Final = tuple(f"customer-{number}" for number in range(1, 21))
WRONG: Final = NAMES[6]
"""Its key is not accepted."""
SCRIPTS: Final = ("workspaces.sh", "one.sh", "all.sh")


@contextmanager
def workspaces(folder: Path) -> Iterator[dict[str, Vitally]]:
    """Run a small sandbox for each name, each with other customers."""
    with ExitStack() as stack:
        found = {}
        for seed, name in enumerate(NAMES, 1):
            port = free_port()
            command = [
                sys.executable,
                "-m",
                "sandbox",
                "--accounts",
                "3",
                "--seed",
                str(seed),
                "--port",
                str(port),
            ]
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            process = stack.enter_context(running(command, cwd=ROOT, stdout=log, stderr=log))
            found[name] = (Vitally(f"http://127.0.0.1:{port}"), process)
        for name, (vitally, process) in found.items():
            wait_for(lambda at=vitally: bool(at.requests_made() + 1), process, name, OSError)  # type: ignore[misc]
        yield {name: vitally for name, (vitally, _) in found.items()}


def lay_out(folder: Path, names: tuple[str, ...]) -> Path:
    """Lay out the project of the page for some workspaces."""
    home = project(folder, "workspaces/meltano.yml")
    for script in SCRIPTS:
        shutil.copy(EXAMPLES / "workspaces" / script, home / script)
    (home / "workspaces.txt").write_text("".join(f"{name}\n" for name in names))
    (home / "secrets").mkdir()
    for name in names:
        (home / "secrets" / name).write_text("wrong" if name == WRONG else "sandbox")
    return home


def all_at_once(home: Path, known: dict[str, str]) -> Done:
    """Write the extractors and sync all workspaces, as the page says."""
    return sh("sh workspaces.sh && sh all.sh", home, known)


def own_rows(home: Path, found: dict[str, Vitally], names: tuple[str, ...]) -> bool:
    """Return whether each workspace has its own accounts in its folder, and nobody else's."""
    for name in names:
        loaded = {
            json.loads(line)["id"]
            for path in (home / "output" / name).glob("accounts*.jsonl")
            for line in path.read_text().splitlines()
        }
        if loaded != {row["id"] for row in found[name].expected_rows("accounts")}:
            return False
    return True


def one_folder(folder: Path, found: dict[str, Vitally], urls: dict[str, str]) -> Row:
    """Sync all of them from one folder."""
    known = variables(**urls)
    home = lay_out(folder / "one", NAMES)
    done = all_at_once(home, known)
    right = tuple(name for name in NAMES if name != WRONG)
    return {
        "exit codes": [done.code],
        "ok": len(re.findall(r"^ok ", done.out, re.MULTILINE)),
        "failed": re.findall(r"^FAILED +(\S+)", done.out, re.MULTILINE),
        "states": _states(home, known, "meltano"),
        "each has its own rows": own_rows(home, found, right),
    }


def two_machines(
    servers: Servers, folder: Path, found: dict[str, Vitally], urls: dict[str, str]
) -> Row:
    """Sync half of them from each of two folders that start at once, with STATE in one PostgreSQL.

    It has no tables yet: the one that makes them keeps the other waiting.
    """
    within = "meltano-backends"
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE workspaces")
    address = f"postgresql+psycopg://postgres:sandbox@127.0.0.1:{servers.postgres_port}/workspaces"
    known = variables(within, MELTANO_DATABASE_URI=address, WAIT="60", **urls)
    right = tuple(name for name in NAMES if name != WRONG)
    halves = (right[:10], right[10:])
    homes = [lay_out(folder / f"half-{number}", names) for number, names in enumerate(halves)]
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda home: all_at_once(home, known), homes))
    rows = [own_rows(home, found, names) for home, names in zip(homes, halves, strict=True)]
    return {
        "exit codes": [done.code for done in both],
        "ok": sum(len(re.findall(r"^ok ", done.out, re.MULTILINE)) for done in both),
        "failed": [
            name for done in both for name in re.findall(r"^FAILED +(\S+)", done.out, re.MULTILINE)
        ],
        "states": _states(homes[0], known, within),
        "each has its own rows": all(rows),
    }


def _states(home: Path, known: dict[str, str], within: str) -> int:
    """Return how many workspaces have a STATE."""
    done = run([program("meltano", within), "state", "list"], folder=home, variables=known)
    return len(re.findall(r"tap-vitally-customer-\d+-to-target-jsonl", done.out))


def sync_all(servers: Servers, folder: Path, only: str = "") -> Row:
    """Sync twenty workspaces, three at once; then the right ones from two folders at once."""
    del only
    with workspaces(folder) as found:
        urls = {
            f"TAP_VITALLY_{name.upper().replace('-', '_')}_API_URL": at.url
            for name, at in found.items()
        }
        return {
            "one folder, three at once": one_folder(folder, found, urls),
            "two folders at once, STATE in one PostgreSQL": two_machines(
                servers, folder, found, urls
            ),
        }
