#!/bin/sh
# target-duckdb 0.8.0 writes rows to CSV without saying how text is quoted, and DuckDB 1.1.3 guesses it from the rows: where none of some
# thousand needs double quotes, text in single quotes loses them, with exit code 0 and STATE.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check target-duckdb==0.8.0 duckdb==1.1.3
echo '{"path": "found.duckdb", "default_target_schema": "main", "add_metadata_columns": true}' > config.json
env/bin/python > rows.singer <<'EOP'
import json
text = {"type": ["string", "null"]}
print(json.dumps({"type": "SCHEMA", "stream": "notes", "key_properties": ["id"], "schema": {"properties": {"id": text, "subject": text}}}))
for number in range(3000):
    subject = "plain" if number else "'in single quotes'"
    print(json.dumps({"type": "RECORD", "stream": "notes", "record": {"id": f"n-{number}", "subject": subject}}))
print(json.dumps({"type": "STATE", "value": {"bookmarks": {"notes": 1}}}))
EOP
state=$(env/bin/target-duckdb --config config.json < rows.singer 2> log)
found=$(env/bin/python -c '
import duckdb
print(*duckdb.connect("found.duckdb").execute("select subject from notes where id = $$n-0$$").fetchone())')
echo "target-duckdb 0.8.0 with duckdb 1.1.3: the subject \"'in single quotes'\" was sent, exit code 0, STATE $state, in the table: \"$found\""
[ "$found" = "in single quotes" ]
