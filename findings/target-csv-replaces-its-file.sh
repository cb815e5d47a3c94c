#!/bin/sh
# meltanolabs-target-csv 0.5.0 has a setting append_records, which nothing reads: a second run replaces the file of the
# first, with exit code 0. A file name with {timestamp} keeps both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check meltanolabs-target-csv==0.5.0
echo '{"output_path": "files", "append_records": true}' > config.json
mkdir files
for id in first second; do
  cat > rows.singer <<EOF
{"type": "SCHEMA", "stream": "visits", "key_properties": ["id"], "schema": {"properties": {"id": {"type": ["string"]}}}}
{"type": "RECORD", "stream": "visits", "record": {"id": "$id"}}
EOF
  env/bin/target-csv --config config.json < rows.singer > state 2> log
done
found=$(grep -c -e first -e second files/visits.csv)
echo "meltanolabs-target-csv 0.5.0 with append_records: two runs of one row each leave this file:"
cat files/visits.csv
[ "$found" = 1 ]
