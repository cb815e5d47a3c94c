#!/bin/sh
# tap-spreadsheets 1.1.2 takes a column with a single number among its cells for a column of numbers: the text in it
# comes as null, with exit code 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tap-spreadsheets==1.1.2
env/bin/python -c '
import openpyxl
book = openpyxl.Workbook()
for row in (["id", "code"], [1, "A-1"], [2, 7], [3, "B-2"]): book.active.append(row)
book.save("codes.xlsx")'
cat > config.json <<'EOF'
{"files": [{"path": "codes.xlsx", "format": "excel", "worksheet": "Sheet", "table_name": "codes", "primary_keys": ["id"]}]}
EOF
env/bin/tap-spreadsheets --config config.json > rows.singer 2> log
echo 'tap-spreadsheets 1.1.2: the column "code" has A-1, 7 and B-2, and comes as:'
grep '"RECORD"' rows.singer
[ "$(grep '"RECORD"' rows.singer | grep -c '"code":null')" = 2 ]
