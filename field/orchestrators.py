"""Run the twenty workspaces over Airflow, with its scheduler and workers, and over Dagster."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import requests

from demo.processes import running
from field.programs import Done, Row, checked, program, run, version
from field.runners import EXAMPLES, shell_block
from field.servers import free_port, wait_for
from field.twenty import Folder, brought

DAG: Final = "vitally_workspaces"
SERVERS: Final = ("api-server", "scheduler", "dag-processor")
SLOTS: Final = 2
"""Slots of the pool in the second run, fewer than the limit of the DAG."""
RUN_SECONDS: Final = 1200
NEWEST_RUN: Final = """
import json, dagster
instance = dagster.DagsterInstance.get()
run, = instance.get_runs(limit=1)
steps = instance.get_run_step_stats(run.run_id)
print(json.dumps([run.status.value.lower(), {step.step_key: step.status.value for step in steps}]))
"""
"""Asks Dagster what became of its newest run, and of each step."""


def over_airflow(home: Folder) -> Row:
    """Run the DAG of the page twice.

    In the first run the pool has room for all, so that the limit of the DAG is what holds; in the
    second the pool has fewer slots than that. Nothing is tried again: a wrong key stays wrong.
    """
    dags = home.path / "dags"
    dags.mkdir()
    text = (EXAMPLES / "vitally_airflow_workspaces.py").read_text()
    for before, after in (
        ("/srv/vitally", str(home.path)),
        ('"17 * * * *"', "None"),
        ('"retries": 2', '"retries": 0'),
    ):
        text = text.replace(before, after)
    (dags / "vitally.py").write_text(text)
    with airflow(home) as (running_airflow, pool):
        pool(len(home.names))
        first = running_airflow.triggered("first")
        at_once = home.at_once()
        pool(SLOTS)
        incremental = brought(home, lambda: running_airflow.triggered("second"))
    return {
        "version": version("apache-airflow", "airflow"),
        **first,
        "at once": at_once,
        "at once with a smaller pool": home.at_once(),
        "the second run brings only what changed": incremental,
    }


@dataclass(frozen=True)
class Airflow:
    """Airflow as it runs, by its API."""

    api: str
    server: subprocess.Popen[str]

    def triggered(self, name: str) -> Row:
        """Start a run, wait for its end, and return what became of the tasks."""
        runs = f"{self.api}/dags/{DAG}/dagRuns"
        asked = {"dag_run_id": name, "logical_date": None}
        self._wait(lambda: requests.post(runs, json=asked, timeout=60).ok)  # once it knows the DAG
        self._wait(lambda: self._get(f"{runs}/{name}")["state"] in {"success", "failed"})
        tasks = self._get(f"{runs}/{name}/taskInstances")["task_instances"]
        return {
            "run": self._get(f"{runs}/{name}")["state"],
            "ok": sum(one["task_id"] == "sync" and one["state"] == "success" for one in tasks),
            "failed": [one["rendered_map_index"] for one in tasks if one["state"] == "failed"],
        }

    def _wait(self, true: Callable[[], bool]) -> None:
        refused = requests.ConnectionError
        wait_for(true, self.server, "Airflow", refused, seconds=RUN_SECONDS, pause=2)

    def _get(self, address: str) -> Any:
        answer = requests.get(address, params={"limit": "100"}, timeout=60)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def airflow(home: Folder) -> Iterator[tuple[Airflow, Callable[[int], None]]]:
    """Run Airflow; yield it, and what gives the pool of the page some slots."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    known = {
        **home.variables,
        "HOME": str(home.path),
        "AIRFLOW_HOME": str(home.path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home.path / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
    }
    on_the_page = shlex.split(shell_block("many-workspaces.md", "airflow pools set"))

    def pool(slots: int) -> None:
        command = [str(slots) if word == "3" else word for word in on_the_page[1:]]
        checked(run([program("airflow"), *command], variables=known))

    checked(run([program("airflow"), "db", "migrate"], variables=known))
    with ExitStack() as stack:
        for name in SERVERS:
            log = stack.enter_context((home.path / f"{name}.log").open("w"))
            command = [program("airflow"), name]
            server = stack.enter_context(running(command, env=known, stdout=log, stderr=log))
        yield Airflow(f"{address}/api/v2", server), pool


def over_dagster(home: Folder) -> Row:
    """Run the job of the page twice."""
    path = home.path / "vitally.py"
    text = (EXAMPLES / "vitally_dagster_workspaces.py").read_text()
    path.write_text(text.replace("/srv/vitally", str(home.path)))
    store = home.path / "dagster"
    store.mkdir()
    known = {**home.variables, "DAGSTER_HOME": str(store), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    command = [program("dagster"), "job", "execute", "-f", str(path), "-j", "sync_workspaces"]

    def execute() -> Done:
        return run(command, variables=known, folder=home.path, seconds=RUN_SECONDS)

    listed = checked(run([*command[:1], "schedule", "list", *command[3:5]], variables=known))
    execute()
    asked = checked(run([program("python", "dagster"), "-c", NEWEST_RUN], variables=known))
    state, steps = json.loads(asked.out)
    at_once = home.at_once()
    return {
        "version": version("dagster", "dagster"),
        "its schedule is on": "hourly [RUNNING]" in listed.out,
        "run": state,
        "ok": sum(steps.get(f"sync[{_key(name)}]") == "SUCCESS" for name in home.names),
        "failed": [name for name in home.names if steps.get(f"sync[{_key(name)}]") == "FAILURE"],
        "at once": at_once,
        "the second run brings only what changed": brought(home, execute),
    }


def _key(name: str) -> str:
    return name.replace("-", "_")
