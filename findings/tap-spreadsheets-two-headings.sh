#!/bin/sh
# tap-spreadsheets 1.1.2 writes headings in lower case and in ASCII. Of two columns whose headings become the same, the first is lost,
# with exit code 0 and without a word.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tap-spreadsheets==1.1.2
printf 'no,Plan,plan,Größe (m²)\n1,gold,silver,40\n' > customers.csv
cat > config.json <<'EOF'
{"files": [{"path": "customers.csv", "format": "csv", "table_name": "customers", "primary_keys": ["no"]}]}
EOF
env/bin/tap-spreadsheets --config config.json > rows.singer 2> log
echo 'tap-spreadsheets 1.1.2: the row has "Plan" gold, "plan" silver and "Größe (m²)" 40, and comes as:'
grep '"RECORD"' rows.singer
grep '"RECORD"' rows.singer | grep -q '"plan":"silver","groe_m2":"40"'
! grep -q gold rows.singer
