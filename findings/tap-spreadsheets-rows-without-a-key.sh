#!/bin/sh
# tap-spreadsheets 1.1.2 leaves out a row whose cell in a primary key is empty, with exit code 0: its log counts the rows that are left
# as all that it has processed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tap-spreadsheets==1.1.2
printf 'region,no,name\neu,1,Example Mills\n,2,Example Works\neu,3,Example Yard\n' > customers.csv
cat > config.json <<'EOF'
{"files": [{"path": "customers.csv", "format": "csv", "table_name": "customers", "primary_keys": ["region", "no"]}]}
EOF
env/bin/tap-spreadsheets --config config.json > rows.singer 2> log
echo 'tap-spreadsheets 1.1.2: of three rows, the second without a region, these come:'
grep '"RECORD"' rows.singer
grep -o 'Processed.*rows' log
[ "$(grep -c '"RECORD"' rows.singer)" = 2 ]
