"""Airflow: a task for each workspace, three at once; one that fails does no harm to the others."""

import datetime as dt
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

FOLDER = "/srv/vitally"  # holds meltano.yml, one.sh and workspaces.txt

with DAG(
    "vitally_workspaces",
    schedule="17 * * * *",
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": dt.timedelta(minutes=6)},
):
    # Makes or migrates Meltano's database; left to the runs, several do it at once, and all but one fail.
    ready = BashOperator(
        task_id="ready", cwd=FOLDER, bash_command="meltano state list > /dev/null", append_env=True
    )

    @task
    def workspaces() -> list[dict[str, str]]:
        """Return the environment of each run."""
        return [{"NAME": name} for name in (Path(FOLDER) / "workspaces.txt").read_text().split()]

    sync = BashOperator.partial(
        task_id="sync",
        cwd=FOLDER,
        bash_command='sh one.sh "$NAME"',
        append_env=True,
        map_index_template="{{ task.env.NAME }}",
        max_active_tis_per_dag=3,  # at once in this DAG
        pool="vitally",  # at once in all DAGs that name this pool
    ).expand(env=workspaces())
    ready >> sync
