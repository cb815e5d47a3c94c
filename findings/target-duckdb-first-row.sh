#!/bin/sh
# target-duckdb 0.8.0 writes rows to CSV without saying whether the file has a header, and a newer DuckDB guesses that
# it has one: the first row of each batch is lost, with exit code 0 and STATE.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check target-duckdb==0.8.0 duckdb==2.0.1
echo '{"path": "found.duckdb", "default_target_schema": "main", "add_metadata_columns": true}' > config.json
cat > rows.singer <<'EOF'
{"type": "SCHEMA", "stream": "visits", "key_properties": ["id"], "schema": {"properties": {"id": {"type": ["string"]}, "at": {"type": ["string", "null"], "format": "date-time"}}}}
{"type": "RECORD", "stream": "visits", "record": {"id": "a", "at": "2026-01-01T10:00:00.000Z"}}
{"type": "RECORD", "stream": "visits", "record": {"id": "b", "at": "2026-01-02T10:00:00.000Z"}}
{"type": "RECORD", "stream": "visits", "record": {"id": "c", "at": "2026-01-03T10:00:00.000Z"}}
{"type": "STATE", "value": {"bookmarks": {"visits": "2026-01-03"}}}
EOF
state=$(env/bin/target-duckdb --config config.json < rows.singer 2> log)
found=$(env/bin/python -c '
import duckdb
print(*(row[0] for row in duckdb.connect("found.duckdb").execute("select id from visits order by id").fetchall()))')
echo "target-duckdb 0.8.0 with duckdb 2.0.1: rows a b c were sent, exit code 0, STATE $state, rows in the table: $found"
[ "$found" = "b c" ]
