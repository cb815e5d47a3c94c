#!/usr/bin/env bash
# fakesnow 0.12.1, an emulator of Snowflake: MERGE refuses bare names among the VALUES to be inserted, which dbt writes for every second
# run of an incremental model, as ambiguous. In Snowflake they are the columns of the source.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'fakesnow==0.12.1' 'snowflake-connector-python==4.8.1'
"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata
import sys

import fakesnow
import snowflake.connector

MERGE = """
MERGE INTO days USING news ON days.id = news.id
WHEN MATCHED THEN UPDATE SET score = news.score
WHEN NOT MATCHED THEN INSERT (id, score) VALUES ({})
"""
said = {}
with fakesnow.patch(), snowflake.connector.connect(database="d", schema="s") as connection:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE days AS SELECT 1 AS id, 5 AS score")
    cursor.execute("CREATE TABLE news AS SELECT 2 AS id, 7 AS score")
    print("fakesnow", importlib.metadata.version("fakesnow"))
    for values in ("id, score", "news.id, news.score"):
        try:
            cursor.execute(MERGE.format(values))
            said[values] = "merged"
        except snowflake.connector.errors.Error as error:
            said[values] = str(error).splitlines()[0]
        print(f"VALUES ({values}): {said[values]}")
bare, qualified = said.values()
sys.exit(not ("mbiguous" in bare and qualified == "merged"))
PYTHON
