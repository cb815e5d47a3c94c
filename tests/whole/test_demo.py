"""The demo does what the README shows, and fails where anything is not as it should be."""

from __future__ import annotations

import contextlib
import copy
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from demo import __main__ as demo
from demo.answers import answers
from demo.processes import DemoError
from demo.tables import columns_of, differences
from demo.writing import TRAIT, Written, check, check_read_back
from harness.support import ROOT, Row, plain
from sandbox import World

Rows = Mapping[str, list[Row]]


@dataclass(frozen=True)
class Shown:
    """A run of the demo: what it printed, what it left, and what the sandbox held at its end."""

    printed: str
    output: Path
    truth: Rows

    @property
    def database(self) -> Path:
        """The tables that it left."""
        return self.output / "vitally.duckdb"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    output = tmp_path_factory.mktemp("output")
    truths: list[Rows] = []
    ask = demo.truth_of

    def kept(vitally: Any) -> dict[str, list[Row]]:
        truths.append(ask(vitally))
        return copy.deepcopy(dict(truths[-1]))

    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as text:
        patch.setattr(demo, "truth_of", kept)
        code = demo.main([], output=output)
    assert code == 0, text.getvalue()
    return Shown(text.getvalue(), output, truths[-1])


def without_chance(text: str) -> list[str]:
    """The lines, without the port and the seconds that differ from run to run."""
    text = re.sub(r"127\.0\.0\.1:\S+", "127.0.0.1:…", text)
    lines = (re.sub(r"\d+\.\d\d$", "s", line).rstrip() for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line]


def test_the_readme_shows_what_the_demo_prints(shown: Shown) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (sample,) = re.findall(r"^```text\n\$ make demo\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    wanted = [line for line in without_chance(sample) if line != "…"]
    printed = iter(without_chance(shown.printed.replace(f"{shown.output}/", "output/")))
    assert len(wanted) > 30
    for line in wanted:
        assert line in printed, f"the demo does not print, or not there: {line}"


def test_the_demo_says_the_same_of_every_account_as_vitally(shown: Shown) -> None:
    with duckdb.connect(str(shown.database), read_only=True) as database:
        rows = database.execute(
            f"SELECT account_id, {TRAIT} FROM dbt_vitally.vitally__account_enhanced "  # noqa: S608
            f"WHERE NOT is_churned AND {TRAIT} IS NOT NULL"
        ).fetchall()
    held = {row["id"]: row["traits"].get(TRAIT) for row in shown.truth["accounts"]}
    assert rows
    assert {key: days for key, days in held.items() if days is not None} == dict(rows)
    assert len((shown.output / "last_touches.jsonl").read_text().splitlines()) == len(rows) + 2


def healthy(rows: Rows) -> None:
    for account in rows["accounts"]:
        account["healthScore"] = 10


def content(rows: Rows) -> None:
    for response in rows["nps_responses"]:
        response["score"] = 10


def idle(rows: Rows) -> None:
    for task in rows["tasks"]:
        task["assignedToId"] = None


@pytest.mark.parametrize(
    ("otherwise", "question"),
    [(healthy, "at risk"), (content, "NPS"), (idle, "desk of each CSM")],
)
def test_an_answer_that_vitally_contradicts_ends_the_demo(
    shown: Shown, otherwise: Callable[[Rows], None], question: str
) -> None:
    assert len(list(answers(shown.database, shown.truth, demo.AS_OF))) == 3
    truth = copy.deepcopy(dict(shown.truth))
    otherwise(truth)
    with pytest.raises(DemoError, match=question):
        list(answers(shown.database, truth, demo.AS_OF))


def test_a_value_that_comes_back_otherwise_ends_the_demo(shown: Shown, tmp_path: Path) -> None:
    file = shutil.copyfile(shown.database, tmp_path / "copy.duckdb")
    held = {
        row["id"]: row["traits"][TRAIT] for row in shown.truth["accounts"] if TRAIT in row["traits"]
    }
    check_read_back(file, held)
    one, *others = held
    for wrong in (held | {one: held[one] + 1}, {key: held[key] for key in others}):
        with pytest.raises(DemoError, match=r"^1 accounts were read back with another"):
            check_read_back(file, wrong)


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
    truth = [plain(row) for row in world.truth("note_categories").values()]
    columns = columns_of("note_categories")
    file = tmp_path / "some.duckdb"
    with duckdb.connect(str(file)) as database:
        database.execute(
            "CREATE TABLE note_categories (id VARCHAR, createdat TIMESTAMP, updatedat TIMESTAMP, "
            "name VARCHAR)"
        )
        assert set(columns) == {"id", "createdat", "updatedat", "name"}
        for row in truth:
            database.execute(
                "INSERT INTO note_categories VALUES (?, ?, ?, ?)",
                [row["id"], row["createdAt"][:-1], row["updatedAt"][:-1], row["name"]],
            )

        def found() -> list[str]:
            return sorted(
                " ".join(line.split()[2:])
                for line in differences(database, "note_categories", truth)
            )

        assert found() == []
        one, other = (row["id"] for row in truth[:2])
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

    def noticed(*args: Any, **kwargs: Any) -> Any:
        processes.append(popen(*args, **kwargs))
        return processes[-1]

    monkeypatch.setattr(subprocess, "Popen", noticed)
    failing = tmp_path / "meltano"
    failing.write_text('#!/bin/sh\necho \'{"event": "No such luck"}\'\nexit 3\n')
    failing.chmod(0o755)
    monkeypatch.setenv("MELTANO", str(failing))
    assert demo.main(["--accounts", "2"], output=tmp_path) == 1
    told = capsys.readouterr().err
    assert "No such luck" in told
    assert "The demo failed: meltano ended with exit code 3" in told
    monkeypatch.setenv("MELTANO", str(tmp_path / "nowhere"))
    assert demo.main(["--accounts", "2"], output=tmp_path) == 1
    assert "nowhere is not there: run make demo" in capsys.readouterr().err
    assert len(processes) == 3
    assert all(process.poll() is not None for process in processes)
