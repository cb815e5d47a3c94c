"""A full refresh that Meltano was killed in is finished by the next ordinary run, in real tables."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
import yaml

from harness.expectations import expected
from harness.forked import forked
from harness.programs import program
from sandbox import Entry, Sandbox, World, serve
from tests.whole.loaders import TYPED, Loaded, project, with_all_columns

TARGET = "target-duckdb"
SELECT = ("users", "account_notes", "messages")
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith("TAP_VITALLY_")}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(World(seed=1, accounts=30), latency=0.02) as sandbox:
        yield sandbox


@pytest.fixture
def loaded(sandbox: Sandbox, tmp_path: Path) -> Loaded:
    loaded = Loaded(tmp_path, "postgresql://nowhere")
    project(loaded, sandbox.url, [])
    file = tmp_path / "meltano.yml"
    content = yaml.safe_load(file.read_text())
    (extractor,) = content["plugins"]["extractors"]
    extractor["select"] = [f"{stream}.*" for stream in SELECT]
    extractor["config"] |= {"page_size": 5, "concurrency": 1}
    loader = next(each for each in content["plugins"]["loaders"] if each["name"] == TARGET)
    # STATE comes when a batch of rows is safe.
    loader["config"]["batch_size_rows"] = 20
    loader["settings"].append({"name": "batch_size_rows", "kind": "integer"})
    file.write_text(yaml.safe_dump(content))
    return loaded


def meltano(folder: Path, *flags: str) -> subprocess.Popen[bytes]:
    command = forked([program("meltano"), "run", *flags, "tap-vitally", TARGET])
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
        )


def run(folder: Path, *flags: str) -> None:
    assert meltano(folder, *flags).wait(120) == 0, (folder / "log").read_text()[-3000:]


@pytest.mark.parametrize("after", [60])
def test_a_killed_full_refresh_is_finished(sandbox: Sandbox, loaded: Loaded, after: int) -> None:
    run(loaded.folder)
    with duckdb.connect(str(loaded.folder / "warehouse.duckdb")) as database:
        for stream in SELECT:
            database.execute(f"DELETE FROM main.{stream}")  # noqa: S608 - three names
    begun = len(sandbox.requests)
    log = loaded.folder / "log"
    before = log.stat().st_size
    processes: list[subprocess.Popen[bytes]] = []

    def kill(entry: Entry) -> None:
        # What the loader has not confirmed yet, no runner can know of.
        reported = "Incremental state has been updated" in log.read_text()[before:]
        if reported and entry.number > begun + after and processes:
            os.killpg(processes.pop().pid, signal.SIGKILL)

    sandbox.before_request = kill
    processes.append(refresh := meltano(loaded.folder, "--full-refresh"))
    assert refresh.wait(120) == -signal.SIGKILL
    sandbox.before_request = None
    run(loaded.folder, "--force")  # a killed run counts as under way for some minutes
    for stream in SELECT:
        expected_rows = expected(sandbox.world, stream)
        wanted = with_all_columns(stream, expected_rows.values(), TYPED[TARGET])
        assert loaded.duckdb_table(stream).rows.keys() == wanted.keys()
