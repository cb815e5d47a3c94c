"""The scripts for many workspaces: keys kept apart, failures named and without harm, no two at once."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from field.twenty import SCRIPTS
from harness.support import ROOT

MELTANO = """#!/bin/sh
# Notes what it was asked for and which keys it sees; fails for the workspace "broken".
case $1 in state) echo . >> asked; [ "$(wc -l < asked)" -gt "${FAILS:-0}" ]; exit ;; esac
{ echo "$WORKSPACE: $*"; env | grep _API_KEY; } > "seen-$WORKSPACE"
[ "$WORKSPACE" != broken ]
"""
NAMES = ("north", "broken", "south-east", "west")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in SCRIPTS:
        shutil.copy(ROOT / "docs" / "examples" / "workspaces" / name, tmp_path / name)
    (tmp_path / "meltano").write_text(MELTANO)
    (tmp_path / "meltano").chmod(0o755)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "workspaces.txt").write_text("".join(f"{name}\n" for name in NAMES))
    for name in NAMES:
        (tmp_path / "secrets" / name).write_text(f"key-of-{name}\n")
    return tmp_path


def run(folder: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if "_API_KEY" not in name}
    return subprocess.run(
        ["/bin/sh", script],
        cwd=folder,
        env={**inherited, "PATH": f"{folder}:{os.environ['PATH']}", "WAIT": "0", **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("between", "end"),
    [("\n", "\n"), ("\n", ""), ("\n\n", "\n \n")],
    ids=["ended", "last line not ended", "empty lines"],
)
def test_each_workspace_has_an_extractor(folder: Path, between: str, end: str) -> None:
    (folder / "workspaces.txt").write_text(between.join(NAMES) + end)
    assert run(folder, "workspaces.sh").returncode == 0
    written = yaml.safe_load((folder / "workspaces.meltano.yml").read_text())
    assert written["plugins"]["extractors"] == [
        {"name": f"tap-vitally-{name}", "inherit_from": "tap-vitally"} for name in NAMES
    ]


def test_one_that_fails_is_named_and_the_others_run_with_their_own_keys(folder: Path) -> None:
    done = run(folder, "all.sh")
    assert done.returncode == 123
    lines = sorted(done.stdout.splitlines())
    assert lines[0] == "FAILED  broken (1): logs/broken.log"
    assert [line.split() for line in lines[1:]] == [
        ["ok", name] for name in ("north", "south-east", "west")
    ]
    for name in NAMES:
        variable = f"TAP_VITALLY_{name.upper().replace('-', '_')}_API_KEY"
        seen = (folder / f"seen-{name}").read_text()
        assert seen == f"{name}: run tap-vitally-{name} target-jsonl\n{variable}=key-of-{name}\n"


def test_a_workspace_without_a_key_fails_alone(folder: Path) -> None:
    (folder / "workspaces.txt").write_text("nobody\nnorth\n")
    done = run(folder, "all.sh")
    assert done.returncode == 123
    assert done.stdout.split() == ["ok", "north"]


def test_all_succeed(folder: Path) -> None:
    (folder / "workspaces.txt").write_text("north\nwest\n")
    assert run(folder, "all.sh").returncode == 0


def test_a_database_that_another_machine_is_making_is_asked_for_again(folder: Path) -> None:
    (folder / "workspaces.txt").write_text("north\n")
    assert run(folder, "all.sh", FAILS="1").returncode == 0
    (folder / "asked").unlink()
    done = run(folder, "all.sh", FAILS="2")
    assert done.returncode == 1
    assert "Meltano's database cannot be used" in done.stdout


def test_a_second_start_does_nothing_while_the_first_is_at_it(folder: Path) -> None:
    with (folder / "all.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert run(folder, "all.sh").returncode == 75
    assert not list(folder.glob("seen-*"))
