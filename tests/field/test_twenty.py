"""Runs of many workspaces are counted as they begin and end, and each folder is told apart."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from field.twenty import COUNTED, WRONG, Folder, brought


def folder(path: Path, *names: str, held: dict[str, list[str]] | None = None) -> Folder:
    def rows(name: str) -> Any:
        return SimpleNamespace(
            expected_rows=lambda _: [{"id": key} for key in (held or {}).get(name, [])]
        )

    return Folder(path, names, cast("Any", {name: rows(name) for name in names}))


def load(home: Folder, name: str, *keys: str) -> None:
    path = home.path / "output" / name / "accounts.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.writelines(f"{json.dumps({'id': key})}\n" for key in keys)


@pytest.mark.parametrize(
    ("notes", "at_once"),
    [("begins ends begins ends", 1), ("begins begins ends begins ends ends", 2)],
)
def test_the_most_runs_at_once_are_counted(tmp_path: Path, notes: str, at_once: int) -> None:
    home = folder(tmp_path)
    (tmp_path / "runs.txt").write_text(notes.replace(" ", "\n"))
    assert home.at_once() == at_once
    assert not (tmp_path / "runs.txt").exists()


def test_what_counts_the_runs_hands_on_arguments_and_exit_code(tmp_path: Path) -> None:
    real, counted, notes = (tmp_path / name for name in ("real", "counted", "notes"))
    real.write_text('#!/bin/sh\necho "$@"\n[ "$2" != fails ] || exit 7\n')
    counted.write_text(COUNTED.format(meltano=real, notes=notes))
    for path in (real, counted):
        path.chmod(0o755)

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([counted, *arguments], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run("state", "list") == (0, "state list\n")
    assert not notes.exists()
    assert run("run", "a b") == (0, "run a b\n")
    assert run("run", "fails") == (7, "run fails\n")
    assert notes.read_text().split() == ["begins", "ends"] * 2


def test_rows_of_another_workspace_or_missing_ones_are_seen(tmp_path: Path) -> None:
    home = folder(tmp_path, "north", "south", WRONG, held={"north": ["1"], "south": ["2"]})
    load(home, "north", "1")
    assert not home.rows_apart()
    load(home, "south", "2", "2")
    assert home.rows_apart()
    load(home, "south", "1")
    assert not home.rows_apart()


def test_a_second_run_has_to_bring_what_changed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("field.twenty.RIGHT", ("north", "south"))
    monkeypatch.setattr("field.twenty.change", lambda _: ("1", "3"))
    home = folder(tmp_path, "north", "south")
    for name in home.names:
        load(home, name, "1", "2", "3")

    def again(*more: str) -> bool:
        def run() -> None:
            load(home, "north", "1")
            load(home, "south", *more)

        return brought(home, run)

    assert again("1")
    assert again("1", "3")
    assert not again()
    assert not again("3")
    assert not again("1", "2")
