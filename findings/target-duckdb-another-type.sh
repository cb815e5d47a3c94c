#!/bin/sh
# A property that gets another type gets a new column: target-duckdb 0.8.0 renames the one that is there, and rows that do
# not come again are null under the name of the property, with exit code 0 and STATE.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check target-duckdb==0.8.0 duckdb==1.1.3
echo '{"path": "found.duckdb", "default_target_schema": "main", "add_metadata_columns": true}' > config.json
schema() {
  echo '{"type": "SCHEMA", "stream": "accounts", "key_properties": ["id"], "schema": {"properties": {"id": {"type": ["string"]}, "seats": {"type": ["'"$1"'", "null"]}}}}'
}
{
  schema number
  echo '{"type": "RECORD", "stream": "accounts", "record": {"id": "a", "seats": 12}}'
  echo '{"type": "RECORD", "stream": "accounts", "record": {"id": "b", "seats": 7}}'
} > first.singer
{
  schema string
  echo '{"type": "RECORD", "stream": "accounts", "record": {"id": "a", "seats": "twelve"}}'
  echo '{"type": "STATE", "value": {"bookmarks": {"accounts": "2026-01-02"}}}'
} > second.singer
env/bin/target-duckdb --config config.json < first.singer 2> log
state=$(env/bin/target-duckdb --config config.json < second.singer 2> log)
found=$(env/bin/python -c '
import duckdb
rows = duckdb.connect("found.duckdb").execute("select id, seats from accounts order by id").fetchall()
print(*(f"{key}={seats}" for key, seats in rows))')
echo "target-duckdb 0.8.0: a=12 and b=7 were loaded, then a=twelve as text, exit code 0, STATE $state; the table has $found"
[ "$found" = "a=twelve b=None" ]
