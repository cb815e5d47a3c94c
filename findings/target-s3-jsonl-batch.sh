#!/bin/sh
# target-s3-jsonl 2.0.1 reads a BATCH message, which names files with the rows, and stores none of them, with exit code 0 and the STATE that
# says they are stored.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check target-s3-jsonl==2.0.1 'moto[server]==5.2.5'
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none AWS_DEFAULT_REGION=us-east-1
cat > run.py <<'EOS'
import gzip
import json
import subprocess
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer("127.0.0.1", 0)
server.start()
address = "http://{}:{}".format(*server.get_host_and_port())
s3 = boto3.client("s3", endpoint_url=address)
s3.create_bucket(Bucket="found")
rows = Path("rows.json.gz").absolute()
rows.write_bytes(gzip.compress(b'{"id": "a"}\n'))
settings = {"s3_bucket": "found", "aws_endpoint_url": address, "path_template": "{stream}-{date_time:%H%M%S%f}.jsonl"}
Path("config.json").write_text(json.dumps(settings))


def target(rows: dict) -> dict:
    messages = [
        {"type": "SCHEMA", "stream": "visits", "key_properties": ["id"], "schema": {"properties": {"id": {"type": ["string"]}}}},
        rows,
        {"type": "STATE", "value": {"bookmarks": {"visits": rows["type"]}}},
    ]
    given = "".join(json.dumps(message) + "\n" for message in messages)
    command = ["env/bin/target-s3-jsonl", "--config", "config.json"]
    state = subprocess.run(command, input=given, stdout=subprocess.PIPE, text=True, check=True).stdout
    return {"STATE": json.loads(state)["bookmarks"]["visits"], "files": s3.list_objects_v2(Bucket="found")["KeyCount"]}


form = {"format": "jsonl", "compression": "gzip"}
batch = {"type": "BATCH", "stream": "visits", "encoding": form, "manifest": [rows.as_uri()]}
print(json.dumps([target(batch), target({"type": "RECORD", "stream": "visits", "record": {"id": "a"}})]))
server.stop()
EOS
found=$(env/bin/python run.py 2> log | tail -n 1)
echo "target-s3-jsonl 2.0.1: the same row was sent by a BATCH and then by a RECORD, exit code 0 both times: $found"
[ "$found" = '[{"STATE": "BATCH", "files": 0}, {"STATE": "RECORD", "files": 1}]' ]
