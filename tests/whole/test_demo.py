"""The demo fails where anything is not as it should be; that it works is shown by the first steps."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from demo import __main__ as demo
from demo.processes import DemoError
from demo.tables import columns_of, differences
from demo.writing import Written, check
from harness.support import plain
from sandbox import World

PLAN = Written("", {"a": "updated", "b": "updated"}, 0)
FIRST = replace(PLAN, writes=2)
AGAIN = Written("", {"a": "unchanged", "b": "unchanged"}, 0)


@pytest.mark.parametrize(
    ("problem", "runs"),
    [
        ("other rows than the query", (replace(PLAN, outcomes={"a": "updated"}), FIRST, AGAIN)),
        ("nothing to do", (replace(PLAN, outcomes=AGAIN.outcomes), FIRST, AGAIN)),
        ("the plan was written", (replace(PLAN, writes=1), FIRST, AGAIN)),
        ("other things than the plan", (PLAN, replace(FIRST, outcomes=AGAIN.outcomes), AGAIN)),
        ("more than one request", (PLAN, replace(FIRST, writes=3), AGAIN)),
        ("something left to do", (PLAN, FIRST, replace(AGAIN, outcomes=PLAN.outcomes))),
        ("something was written", (PLAN, FIRST, replace(AGAIN, writes=1))),
    ],
)
def test_a_plan_that_is_not_kept_ends_the_demo(problem: str, runs: tuple[Written, ...]) -> None:
    plan, first, again = runs
    check(PLAN, FIRST, AGAIN, {"a": 1, "b": 2})
    with pytest.raises(DemoError, match=problem):
        check(plan, first, again, {"a": 1, "b": 2})


def test_the_demo_finds_every_row_that_is_missing_wrong_or_too_many(tmp_path: Path) -> None:
    world = World(seed=1, accounts=8)
    expected_rows = [plain(row) for row in world.expected_rows("note_categories").values()]
    columns = columns_of("note_categories")
    file = tmp_path / "some.duckdb"
    with duckdb.connect(str(file)) as database:
        database.execute(
            "CREATE TABLE note_categories (id VARCHAR, createdat TIMESTAMP, updatedat TIMESTAMP, "
            "name VARCHAR, additionalproperties VARCHAR)"
        )
        assert set(columns) == {"id", "createdat", "updatedat", "name", "additionalproperties"}
        for row in expected_rows:
            database.execute(
                "INSERT INTO note_categories VALUES (?, ?, ?, ?, NULL)",
                [row["id"], row["createdAt"][:-1], row["updatedAt"][:-1], row["name"]],
            )

        def found() -> list[str]:
            return sorted(
                " ".join(line.split()[2:])
                for line in differences(database, "note_categories", expected_rows)
            )

        assert found() == []
        one, other = (row["id"] for row in expected_rows[:2])
        database.execute("UPDATE note_categories SET name = 'wrong' WHERE id = ?", [one])
        assert found() == ["has another name"]
        database.execute("UPDATE note_categories SET id = 'no such' WHERE id = ?", [other])
        assert found() == ["has another name", "is missing", "such should not be there"]
        assert list(differences(database, "notes", [])) == []


def test_the_demo_ends_with_a_plain_line_and_leaves_no_process_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    processes = []
    popen = subprocess.Popen

    def recorded(*args: Any, **kwargs: Any) -> Any:
        processes.append(popen(*args, **kwargs))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", recorded)
    failing = tmp_path / "meltano"
    failing.write_text('#!/bin/sh\necho \'{"event": "No such luck"}\'\nexit 3\n')
    failing.chmod(0o755)
    monkeypatch.setenv("MELTANO", str(failing))
    assert demo.main(["--accounts", "2"], output=tmp_path) == 1
    reported = capsys.readouterr().err
    assert "No such luck" in reported
    assert "The demo failed: meltano ended with exit code 3" in reported
    monkeypatch.setenv("MELTANO", str(tmp_path / "nowhere"))
    assert demo.main(["--accounts", "2"], output=tmp_path) == 1
    assert "nowhere is not there: run make demo" in capsys.readouterr().err
    assert len(processes) == 3
    assert all(process.poll() is not None for process in processes)
