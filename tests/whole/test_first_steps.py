"""The README from its first command on, in a clone: the demo, the first steps, dbt, the sandbox."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
import requests

from demo import __main__ as demo
from demo.answers import answers
from demo.processes import DemoError
from demo.writing import TRAIT, check_read_back
from harness.browser import Measured, measured
from harness.support import ROOT, Row
from sandbox import Clock, Sandbox, World, serve
from tests.whole.terminal import SHELL, Terminal, shell

pytestmark = pytest.mark.journey

ADDRESS = "<address of this repository>"
LENT = """#!/bin/sh
# What is installed already is lent to the clone, and make must not install it anew.
if ! [ -e .venv ]; then ln -s "{root}/.venv" .venv; ln -s "{root}/.venvs" .venvs; fi
set -- --old-file=.venv/.uv --old-file=.venv/.installed "$@"
for pins in requirements/*.txt; do
  name=${{pins#requirements/}}
  set -- --old-file=".venvs/${{name%.txt}}/.installed" "$@"
done
exec "{make}" "$@"
"""


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def repository(folder: Path) -> Path:
    """A repository of what is here now, committed or not."""
    names = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--message", "All of it")
    return folder


@dataclass(frozen=True)
class Clone:
    """A clone in which the demo has run, and what that printed."""

    terminal: Terminal
    printed: str

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.terminal.folder

    @property
    def database(self) -> Path:
        """The tables of the demo."""
        return self.folder / "output" / "vitally.duckdb"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    terminal = Terminal(tmp_path_factory.mktemp("reader"))
    make = terminal.folder / "programs" / "make"
    make.write_text(LENT.format(root=ROOT, make=shutil.which("make")))
    make.chmod(0o755)
    address = repository(tmp_path_factory.mktemp("repository"))
    script = shell("README.md", "git clone").replace(ADDRESS, f"'{address}'")
    printed = terminal.run(script)
    terminal.folder /= "tap-vitally"
    return Clone(terminal, printed)


# The demo


def without_chance(text: str) -> list[str]:
    """The lines, without the port and the seconds that differ from run to run."""
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:…", text)
    text = re.sub(r"(PASS|TOTAL)=\d+", r"\1=…", text)
    lines = (re.sub(r"\d+\.\d\d$", "s", line).rstrip() for line in text.splitlines())
    return [" ".join(line.split()) for line in lines if line]


@pytest.mark.parametrize(
    ("page", "begins", "least"),
    [("README.md", "First run", 10), ("docs/demo.md", r"\$ make demo\n", 80)],
)
def test_the_pages_show_what_the_demo_prints(
    page: str, begins: str, least: int, clone: Clone
) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    (sample,) = re.findall(rf"^```text\n({begins}.*?)^```", text, re.DOTALL | re.MULTILINE)
    wanted = [line for line in without_chance(sample) if line != "$ make demo"]
    printed = iter(without_chance(clone.printed))
    assert len(wanted) >= least
    for line in wanted:
        assert line in printed, f"the demo does not print, or not there: {line}"


def test_the_demo_leaves_what_it_has_written(clone: Clone) -> None:
    lines = (clone.folder / "output" / "last_touches.jsonl").read_text().splitlines()
    rows = [json.loads(line)["record"] for line in lines if '"RECORD"' in line]
    written = {row["account_id"]: row[TRAIT] for row in rows}
    assert len(written) > 30
    check_read_back(clone.database, written)
    one, *others = written
    for wrong in (written | {one: written[one] + 1}, {key: written[key] for key in others}):
        with pytest.raises(DemoError, match=r"^1 accounts were read back with another"):
            check_read_back(clone.database, wrong)


@pytest.fixture(scope="module")
def expected_rows() -> dict[str, list[Row]]:
    """What the sandbox of the demo holds after its day."""
    world = World(seed=1, accounts=50, clock=Clock(demo.NOW))
    world.live_a_day()
    asked = ("accounts", "users", "admins", "tasks", "nps_responses")
    return {stream: list(world.expected_rows(stream).values()) for stream in asked}


@pytest.mark.parametrize(
    ("stream", "change", "question"),
    [
        ("accounts", {"healthScore": 10}, "at risk"),
        ("nps_responses", {"score": 10}, "NPS"),
        ("tasks", {"assignedToId": None}, "desk of each CSM"),
    ],
)
def test_an_answer_that_vitally_contradicts_ends_the_demo(
    clone: Clone, expected_rows: dict[str, list[Row]], stream: str, change: Row, question: str
) -> None:
    assert len(list(answers(clone.database, expected_rows, demo.AS_OF))) == 3
    otherwise = {**expected_rows, stream: [{**row, **change} for row in expected_rows[stream]]}
    with pytest.raises(DemoError, match=question):
        list(answers(clone.database, otherwise, demo.AS_OF))


def test_the_dashboard_of_the_demo_is_one_page_that_draws_every_answer(
    clone: Clone, tmp_path: Path
) -> None:
    clone.terminal.run(shell("docs/dashboard.md", "make dashboard"))
    folder = clone.folder / "output"
    text = (folder / "dashboard.html").read_text(encoding="utf-8")
    asked = re.findall(r"^## (.+)$", (ROOT / "docs/questions.md").read_text(), re.MULTILINE)
    assert len(asked) >= 12
    answered = [html.unescape(title) for title in re.findall(r"^<h2>(.+)</h2>", text, re.MULTILINE)]
    assert answered == ["Who is at risk?", *asked]
    assert len(set(re.findall(r'data-plot="(\d+)"', text))) >= 10
    assert measured(folder, ["/dashboard.html"], tmp_path) == Measured(pages=2)
    plots = "from dashboard.charts import PLOTS; print(*PLOTS, sep=chr(10))"
    command = [str(ROOT / ".venvs" / "dashboard" / "bin" / "python"), "-c", plots]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(known.splitlines()) <= set(answered)


def test_a_database_without_models_is_told_in_one_line(clone: Clone, tmp_path: Path) -> None:
    empty, text = tmp_path / "empty.duckdb", tmp_path / "text.duckdb"
    duckdb.connect(str(empty)).close()
    text.write_text("no database " * 1000)
    none = "holds no models of the dbt package: run make demo"
    reasons = {empty: none, tmp_path / "nowhere.duckdb": none, text: "cannot be opened by DuckDB "}
    for database, reason in reasons.items():
        command = f"make dashboard ARGS='--database {database} --output {tmp_path}/none.html'"
        said = clone.terminal.run(command, fails=True)
        assert f"{database} {reason}" in said
        assert "Traceback" not in said
    assert not (tmp_path / "none.html").exists()


# The first steps


@pytest.fixture(scope="module")
def workspace() -> Iterator[Sandbox]:
    with serve(World(seed=2, accounts=8)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def warehouse(clone: Clone, workspace: Sandbox) -> Path:
    """The database of the first steps."""
    clone.terminal.run(shell("README.md", "make tools"))
    file = clone.folder / ".env"
    written = re.sub(
        r"^TAP_VITALLY_API_KEY=$", "\\g<0>sandbox", file.read_text(), flags=re.MULTILINE
    )
    file.write_text(f"{written}\nTAP_VITALLY_API_URL={workspace.url}\n")
    project = clone.folder / "meltano.yml"
    project.write_text(re.sub(r"^ +pip_url: .*\n", "", project.read_text(), flags=re.MULTILINE))
    clone.terminal.run(shell("README.md", ".venvs/meltano/bin/meltano install"))
    return clone.folder / "output" / "warehouse.duckdb"


def query(file: Path, text: str) -> dict[Any, Any]:
    with duckdb.connect(str(file), read_only=True) as database:
        return dict(database.execute(text).fetchall())


def test_the_first_steps_leave_the_tables(warehouse: Path, workspace: Sandbox) -> None:
    for table in ("accounts", "users", "notes"):
        held = workspace.world.expected_rows(table).values()
        found = query(warehouse, f"SELECT id, createdat FROM {table}")  # noqa: S608 - of ours
        assert found.keys() == {row["id"] for row in held}


def test_dbt_builds_on_these_tables(clone: Clone, warehouse: Path, workspace: Sandbox) -> None:
    clone.terminal.run(shell("docs/dbt.md", "make dbt"))
    found = query(
        warehouse,
        "SELECT account_id, health_score::DOUBLE FROM dbt_vitally.vitally__account_enhanced",
    )
    held = workspace.world.expected_rows("accounts").values()
    assert found == {row["id"]: row["healthScore"] for row in held}


# The sandbox


ODD_BODY = 'curl -X POST http://127.0.0.1:8765/control/faults -d \'[{"kind": "odd_body"'
UNDECLARED = 'curl -X POST http://127.0.0.1:8765/control/faults -d \'[{"kind": "undeclared"'
LOST_ANSWER = (
    'curl -X POST http://127.0.0.1:8766/control/faults -d \'[{"kind": "reset_before", "path": "acc'
)
LOST_EVENTS = (
    'curl -X POST http://127.0.0.1:8766/control/faults -d \'[{"kind": "reset_before", "path": "/an'
)


@contextmanager
def started(terminal: Terminal, script: str) -> Iterator[str]:
    """Run the commands that start a sandbox, on a port that is free; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    script = re.sub(r"--port \d+", f"--port {port}", script)
    with subprocess.Popen(
        [SHELL, "-e", "-c", script],
        cwd=terminal.folder,
        env=terminal.variables,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout
        try:
            line = next(line for line in process.stdout if "http://" in line)
            yield line.split()[3]
        finally:
            os.killpg(process.pid, signal.SIGTERM)


def ask(url: str, path: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{url}{path}", auth=("sandbox", ""), timeout=30).json()


def test_a_sandbox_lives_a_day(clone: Clone) -> None:
    page = "docs/sandbox.md"
    with started(clone.terminal, shell(page, "make install")) as url:
        before = ask(url, "/control/truth/accounts?rows=false")["count"]
        assert before == 200
        day = shell(page, "curl -X POST http://127.0.0.1:8765/control/day")
        clone.terminal.run(day.replace("http://127.0.0.1:8765", url))
        assert ask(url, "/control/truth/accounts?rows=false")["count"] > before


def test_a_sandbox_misbehaves_as_asked(clone: Clone) -> None:
    page = "docs/sandbox.md"
    with started(clone.terminal, shell(page, "make install")) as url:
        before = ask(url, "/control/truth/accounts")["rows"]
        for script in (
            shell(page, "curl -X POST http://127.0.0.1:8765/control/change"),
            shell(page, ODD_BODY),
            shell(page, UNDECLARED),
        ):
            clone.terminal.run(script.replace("http://127.0.0.1:8765", url))
        assert isinstance(ask(url, "/resources/changeEvents"), list)
        after = ask(url, "/control/truth/accounts")["rows"]
        assert {row["id"]: row["updatedAt"] for row in after} == {
            row["id"]: row["updatedAt"] for row in before
        }
        assert [row["healthScore"] for row in after] != [row["healthScore"] for row in before]
        assert len(ask(url, "/resources/accounts")["results"]) == 7
        assert all("pronouns" in row for row in ask(url, "/resources/users")["results"])


def test_an_empty_sandbox_takes_switches_and_faults(clone: Clone) -> None:
    page = "docs/sandbox.md"
    with started(clone.terminal, shell(page, ".venv/bin/python -m sandbox --port 8766")) as url:
        assert ask(url, "/control/truth/accounts?rows=false")["count"] == 0
        assert ask(url, "/control/truth/admins?rows=false")["count"] > 0
        assert "--latency" in clone.terminal.run(".venv/bin/python -m sandbox --help")
        for script in (
            shell(page, "curl -X POST http://127.0.0.1:8766/control/writing"),
            shell(page, LOST_ANSWER),
            shell(page, LOST_EVENTS),
        ):
            clone.terminal.run(script.replace("http://127.0.0.1:8766", url))
        switches = ask(url, "/control/writing")
        assert switches["links"] == "add"
        assert switches["on_known_of"] == {"notes": "duplicate"}
        with requests.Session() as session:
            session.trust_env, session.auth = False, ("sandbox", "")
            row = {"externalId": "a-1", "name": "Lost"}
            with pytest.raises(requests.ConnectionError):
                session.post(f"{url}/resources/accounts", json=row, timeout=30)
            event = {"type": "track", "event": "lost", "properties": {}, "userId": "u-1"}
            key = {"Authorization": "Basic sandbox-analytics"}
            session.auth = None
            with pytest.raises(requests.ConnectionError):
                session.post(
                    f"{url}/analytics/v1/batch",
                    json=[{**event, "messageId": "m"}],
                    headers=key,
                    timeout=30,
                )
        (account,) = ask(url, "/control/truth/accounts")["rows"]
        assert account["name"] == "Lost", "the write was done, and its answer lost"
        assert ask(url, "/control/events")["count"] == 1
