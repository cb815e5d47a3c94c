#!/usr/bin/env bash
# fakesnow 0.12.1, an emulator of Snowflake: a NULL of type TIMESTAMP arrives as 1970-01-01 at the connector.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'fakesnow[server]==0.12.1' 'snowflake-connector-python==4.8.1'
"$folder/venv/bin/python" - <<'PYTHON'
import datetime
import importlib.metadata
import sys

import fakesnow
import snowflake.connector

print("fakesnow", importlib.metadata.version("fakesnow"))
with fakesnow.server() as how, snowflake.connector.connect(**how, database="d", schema="s") as connection:
    (found,) = connection.cursor().execute("SELECT CAST(NULL AS TIMESTAMP_NTZ)").fetchone()
print("SELECT CAST(NULL AS TIMESTAMP_NTZ):", repr(found))
sys.exit(found != datetime.datetime(1970, 1, 1))
PYTHON
