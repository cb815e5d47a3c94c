"""Dagster: a step for each workspace, three at once; one that fails does no harm to the others."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

FOLDER = Path("/srv/vitally")  # holds meltano.yml, one.sh and workspaces.txt


@dg.op(out=dg.DynamicOut(str))
def workspaces() -> Iterator[dg.DynamicOutput[str]]:
    """Yield the name of each workspace."""
    # Makes or migrates Meltano's database; left to the runs, several do it at once, and all but one fail.
    subprocess.run(["meltano", "state", "list"], cwd=FOLDER, check=True)
    for name in (FOLDER / "workspaces.txt").read_text().split():
        yield dg.DynamicOutput(name, mapping_key=name.replace("-", "_"))


@dg.op
def sync(name: str) -> None:
    """Sync one workspace."""
    subprocess.run(["sh", "one.sh", name], cwd=FOLDER, check=True)


@dg.job(executor_def=dg.multiprocess_executor.configured({"max_concurrent": 3}))
def sync_workspaces() -> None:
    """Sync all workspaces."""
    workspaces().map(sync)


defs = dg.Definitions(
    jobs=[sync_workspaces],
    schedules=[
        dg.ScheduleDefinition(
            name="hourly",
            cron_schedule="17 * * * *",
            job=sync_workspaces,
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ],
)
