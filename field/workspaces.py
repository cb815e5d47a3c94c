"""Run the recipes of docs/many-workspaces.md: all.sh in one folder and in two, Airflow, Dagster."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psycopg
import requests

from demo.processes import running
from field.orchestrators import over_airflow, over_dagster
from field.programs import Done, FieldError, Row, checked
from field.runners import asked, sh
from field.servers import Servers, wait_for
from field.twenty import NAMES, RIGHT, Folder, Workspaces, workspaces

Recipe = Callable[[Servers, Path, Workspaces], Row]


def one_folder(_: Servers, folder: Path, found: Workspaces) -> Row:
    """Sync all of them from one folder."""
    home = Folder(folder, NAMES, found).lay_out()
    return {**_ended(_all_at_once(home)), "at once": home.at_once(), **_held(home)}


def two_folders(servers: Servers, folder: Path, found: Workspaces) -> Row:
    """Sync half of them from each of two folders that start at once, with STATE in one PostgreSQL.

    It has no tables yet: the one that makes them keeps the other waiting.
    """
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE workspaces")
    address = f"postgresql+psycopg://postgres:sandbox@127.0.0.1:{servers.postgres_port}/workspaces"
    more = {"MELTANO_DATABASE_URI": address, "WAIT": "60"}
    homes = [
        Folder(folder / str(number), names, found, "meltano-backends", more).lay_out()
        for number, names in enumerate((RIGHT[:10], RIGHT[10:]), 1)
    ]
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(_all_at_once, homes))
    return {
        **_ended(*both),
        "states": homes[0].states(),
        "at once": max(home.at_once() for home in homes),
        "each has its own rows": all(home.rows_apart() for home in homes),
        "the other folder is refused a workspace that is being read": _refused(*homes),
    }


def _refused(first: Folder, second: Folder) -> bool:
    """Return whether a folder does not run a workspace while another one's run is under way."""
    name = first.names[0]
    at = first.found[name]
    (second.path / "workspaces.txt").write_text(f"{name}\n")
    shutil.copy(first.path / "secrets" / name, second.path / "secrets" / name)
    checked(sh("sh workspaces.sh", second.path, second.variables))
    at.requests_made()
    stall = [{"kind": "stall", "seconds": 600, "after": 1}]  # what is answered is counted
    requests.post(f"{at.url}/control/faults", json=stall, timeout=60).raise_for_status()
    with running(["sh", "one.sh", name], cwd=first.path, env=first.variables) as process:
        wait_for(lambda: asked(at) > 0, process, name)
        done = sh(f"sh one.sh {name}", second.path, second.variables)
    requests.delete(f"{at.url}/control/faults", timeout=60).raise_for_status()
    return (
        done.code != 0 and "already running" in (second.path / "logs" / f"{name}.log").read_text()
    )


def orchestrated(over: Callable[[Folder], Row]) -> Recipe:
    """Return what syncs all of them from one folder by an orchestrator."""

    def sync(_: Servers, folder: Path, found: Workspaces) -> Row:
        home = Folder(folder, NAMES, found).lay_out()
        checked(sh("sh workspaces.sh", home.path, home.variables))
        return {**over(home), **_held(home)}

    return sync


def _all_at_once(home: Folder) -> Done:
    """Write the extractors and sync all workspaces, as the page says."""
    return sh("sh workspaces.sh && sh all.sh", home.path, home.variables)


def _ended(*done: Done) -> Row:
    out = "".join(one.out for one in done)
    return {
        "exit codes": [one.code for one in done],
        "ok": len(re.findall(r"^ok ", out, re.MULTILINE)),
        "failed": re.findall(r"^FAILED +(\S+)", out, re.MULTILINE),
    }


def _held(home: Folder) -> Row:
    return {
        "states": home.states(),
        "each has its own rows": home.rows_apart(),
    }


RECIPES: Final[Mapping[str, Recipe]] = {
    "one folder, three at once": one_folder,
    "two folders at once, STATE in one PostgreSQL": two_folders,
    "Airflow": orchestrated(over_airflow),
    "Dagster": orchestrated(over_dagster),
}


def sync_all(servers: Servers, folder: Path, only: str = "") -> Row:
    """Sync twenty workspaces in each way, or in those in whose name a text stands."""
    results: Row = {}
    with workspaces(folder) as found:
        for number, (name, recipe) in enumerate(RECIPES.items()):
            if only in name:
                began = time.monotonic()
                try:
                    results[name] = recipe(servers, folder / f"way-{number}", found)
                except FieldError as error:
                    results[name] = {"error": str(error)}
                print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)
    return results
