"""Airflow: one run at a time; a retry after six minutes, since Meltano refuses to start for five."""

import datetime as dt

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

with DAG(
    "vitally",
    schedule="17 * * * *",
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": dt.timedelta(minutes=6)},
):
    BashOperator(
        task_id="sync",
        cwd="/srv/vitally",  # the folder of meltano.yml
        bash_command="meltano run tap-vitally target-jsonl",
        append_env=True,
    )
