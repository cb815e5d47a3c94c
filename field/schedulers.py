"""Run the recipes of docs/schedulers.md: cron, Meltano, places for STATE, Airflow, Dagster, Kubernetes."""

from __future__ import annotations

import fcntl
import json
import re
import shlex
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import psycopg
import requests

from demo.processes import running
from field.programs import FieldError, Row, checked, program, run, version
from field.runners import EXAMPLES, RUN, ended, project, sh, shell_block, variables
from field.servers import S3_VARIABLES, Servers, wait_for

MOMENTS: Final = {signal.SIGTERM: (3, 10, 30), signal.SIGKILL: (10,)}
"""Requests after which runs are ended: what a killed Meltano leaves depends on no moment."""


BY_THE_MOMENT: Final = ("meltano-3", signal.SIGTERM)
"""Meltano 3.9.5 raises out of whatever its loop is at: the next run was refused on one day, and went on
after three of three signals on the same day."""


LOCKED: Final = "flock -n sync.lock"


def cron(servers: Servers, folder: Path) -> Row:
    """Run the script of "On the shell" under its lock, while another holds it and then alone, and Meltano."""
    _on_the_shell(servers, folder)
    command = f"{LOCKED} sh sync.sh"
    with (folder / "sync.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        refused = sh(command, folder, variables())
        started = (folder / "state.json").exists()
    alone = sh(command, folder, variables())
    state = json.loads((folder / "state.json").read_text())
    home = project(folder / "project", url=servers.vitally.url)
    within = sh(f"{LOCKED} {shlex.join(('meltano', *RUN))}", home, variables())
    return {
        "while another runs": {"exit code": refused.code, "starts": started},
        "alone": {"exit code": alone.code, "STATE": bool(state.get("bookmarks"))},
        "with Meltano": {"exit code": within.code, **_loaded(home)},
    }


def _on_the_shell(servers: Servers, folder: Path) -> None:
    folder.mkdir()
    (folder / "sync.sh").write_text(shell_block("start.md", "#!/bin/sh\n# Reads what changed"))
    (folder / "config.json").write_text(
        json.dumps({"api_key": "sandbox", "api_url": servers.vitally.url})
    )
    (folder / "target.json").write_text(
        json.dumps({"destination_path": str(folder), "do_timestamp_file": False})
    )


def schedules(servers: Servers, folder: Path) -> Row:
    """Run the commands of "Meltano's schedules" after `meltano run`, whose STATE they have to go on from."""
    home, known = project(folder, url=servers.vitally.url), variables()
    checked(run([program("meltano"), *RUN], folder=home, variables=known))
    commands = shell_block("schedulers.md", "meltano job add").replace("postgres", "jsonl")
    done = sh(commands, home, known)
    return {
        "version": version("meltano", "meltano"),
        "exit code": done.code,
        "goes on from the STATE of meltano run": "changed since" in done.out + done.log,
        "STATE ids": len(_states(home, "meltano", known)),
    }


def meltano(servers: Servers, folder: Path, within: str) -> Row:
    """End runs by SIGTERM and SIGKILL at some moments, and see what the next run does.

    Where that depends on the moment, a run of this recipe may meet other moments than the last one
    did: what is recorded is only that it depends.
    """
    found: Row = {"version": version("meltano", within)}
    command = [program("meltano", within), *RUN]
    for number, moments in MOMENTS.items():
        outcomes = []
        for at in moments:
            home = project(folder / f"{number.name}-{at}", url=servers.vitally.url)
            known = variables(within)
            checked(
                run([program("meltano", within), "state", "list"], folder=home, variables=known)
            )
            done = ended(command, number, servers.vitally, at, cwd=home, env=known)
            again = run(command, folder=home, variables=known)
            forced = run([*command[:2], "--force", *command[2:]], folder=home, variables=known)
            outcomes.append((done.code, again, forced.code))
        others = [again for _, again, _ in outcomes if again.code and not _refused(again.log)]
        refused = any(_refused(again.log) for _, again, _ in outcomes)
        found[number.name] = {
            "exit code": _same(code for code, _, _ in outcomes),
            "the next run": f"fails: {others[0].error}"
            if others
            else "goes on or is refused, by the moment"
            if (within, number) == BY_THE_MOMENT
            else "is refused"
            if refused
            else "goes on",
            "with --force": _same(code or "goes on" for _, _, code in outcomes),
        }
    return found


def _same(found: Iterable[int | str]) -> int | str:
    different = list(dict.fromkeys(found))
    return (
        different[0] if len(different) == 1 else " or ".join(map(str, sorted(map(str, different))))
    )


def backends(servers: Servers, folder: Path) -> Row:
    """Keep STATE elsewhere, and see whether a second folder, as of a new container, finds it."""
    within = "meltano-backends"
    bucket = f"{servers.s3}/states"
    requests.put(bucket, timeout=60).raise_for_status()
    with psycopg.connect(servers.postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE meltano")
    address = f"postgresql+psycopg://postgres:sandbox@127.0.0.1:{servers.postgres_port}/meltano"
    shared = folder / "shared"
    shared.mkdir(parents=True)
    homes: Mapping[str, dict[str, str]] = {
        "a folder": {"MELTANO_STATE_BACKEND_URI": shared.as_uri()},
        "S3": {
            "MELTANO_STATE_BACKEND_URI": "s3://states/vitally",
            "MELTANO_STATE_BACKEND_S3_ENDPOINT_URL": servers.s3,
            "MELTANO_STATE_BACKEND_S3_AWS_ACCESS_KEY_ID": S3_VARIABLES["AWS_ACCESS_KEY_ID"],
            "MELTANO_STATE_BACKEND_S3_AWS_SECRET_ACCESS_KEY": S3_VARIABLES["AWS_SECRET_ACCESS_KEY"],
            "AWS_DEFAULT_REGION": S3_VARIABLES["AWS_DEFAULT_REGION"],
        },
        "PostgreSQL": {"MELTANO_DATABASE_URI": address},
    }
    found: Row = {"version": version("meltano", within)}
    for number, (name, settings) in enumerate(homes.items()):
        known = variables(within, **settings)
        runs = []
        for container in ("first", "second"):
            home = project(folder / f"{number}-{container}", url=servers.vitally.url)
            states = _states(home, within, known)
            done = run([program("meltano", within), *RUN], folder=home, variables=known)
            runs.append({"exit code": done.code, "finds STATE": bool(states)})
        found[name] = runs
    return found


def airflow(servers: Servers, folder: Path) -> Row:
    """Run the DAG of the page once, as `airflow dags test` does."""
    home = project(folder / "project", url=servers.vitally.url)
    dags = folder / "home" / "dags"
    dags.mkdir(parents=True)
    text = (EXAMPLES / "vitally_airflow.py").read_text()
    (dags / "vitally.py").write_text(text.replace("/srv/vitally", str(home)))
    known = variables(
        AIRFLOW_HOME=str(folder / "home"), AIRFLOW__CORE__LOAD_EXAMPLES="false", HOME=str(folder)
    )
    command = program("airflow")
    checked(run([command, "db", "migrate"], variables=known))
    done = run([command, "dags", "test", "vitally"], variables=known, seconds=600)
    succeeded = "state=success" in done.out + done.log or "state:success" in done.out + done.log
    return {
        "version": version("apache-airflow", "airflow"),
        "exit code": done.code,
        "success": succeeded,
        **_loaded(home),
    }


def dagster(servers: Servers, folder: Path) -> Row:
    """Let the schedule of the page start a run, each minute in place of each hour."""
    _on_the_shell(servers, folder)
    path = folder / "vitally_dagster.py"
    text = (EXAMPLES / "vitally_dagster.py").read_text()
    path.write_text(text.replace("/srv/vitally", str(folder)).replace("17 * * * *", "* * * * *"))
    known = variables(DAGSTER_HOME=str(folder), DAGSTER_DISABLE_TELEMETRY="yes")
    command = [program("dagster-daemon", "dagster"), "run", "-f", str(path)]
    log = folder / "daemon.log"
    with (
        log.open("w") as file,
        running(command, env=known, cwd=folder, stdout=file, stderr=file) as daemon,
    ):
        ends = re.compile("RUN_(SUCCESS|FAILURE)")
        wait_for(lambda: bool(ends.search(log.read_text())), daemon, "Dagster", seconds=600)
    return {
        "version": version("dagster", "dagster"),
        "a scheduled run": "succeeds" if "RUN_SUCCESS" in log.read_text() else "fails",
        "STATE": (folder / "state.json").exists(),
    }


def kubernetes(_: Servers, folder: Path) -> Row:
    """Validate the CronJob of the page."""
    folder.mkdir()
    command = program("kubernetes-validate")
    done = run([command, "--strict", str(EXAMPLES / "cronjob.yml")])
    return {
        "version": version("kubernetes-validate", "kubernetes-validate"),
        "exit code": done.code,
    }


def _refused(log: str) -> bool:
    return "already running" in log


def _states(home: Path, within: str, known: Mapping[str, str]) -> list[str]:
    done = run([program("meltano", within), "state", "list"], folder=home, variables=known)
    return [line for line in done.out.splitlines() if "tap-vitally-to-target-jsonl" in line]


def _loaded(home: Path) -> Row:
    return {"rows": any(path.stat().st_size for path in (home / "output").glob("accounts*"))}


RECIPES: Final[Mapping[str, Callable[[Servers, Path], Row]]] = {
    "cron": cron,
    "Meltano's schedules": schedules,
    "Meltano 4": lambda servers, folder: meltano(servers, folder, "meltano"),
    "Meltano 3": lambda servers, folder: meltano(servers, folder, "meltano-3"),
    "state backends": backends,
    "Airflow": airflow,
    "Dagster": dagster,
    "Kubernetes": kubernetes,
}


def schedule_all(servers: Servers, folder: Path, only: str = "") -> Row:
    """Run all recipes, or those in whose name a text stands; return what each did."""
    results: Row = {}
    for name, recipe in RECIPES.items():
        if only in name:
            print(f"  {name}", flush=True)
            try:
                results[name] = recipe(servers, folder / name.replace(" ", "-"))
            except FieldError as error:
                results[name] = {"error": str(error)}
    return results
