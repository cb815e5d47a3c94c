"""No page shows a command that no test runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from field.twenty import SCRIPTS
from harness.support import ROOT
from tests.whole.terminal import PAGES, shell_blocks

PROGRAMS = "meltano|tap-vitally|target-vitally|make|pip|pipx|uv|sh|curl|.venv|dbt|python|git|psql"
MENTIONED = {
    "tap-vitally --config=ENV --catalog=catalog.json --state=state.json --test": "test_check.py",
    "tap-vitally --config=ENV --sample usage_summary": "test_terminal.py",
    "tap-vitally --config=ENV": "begins others; in start.md with --test",
    "meltano invoke tap-vitally": "begins others; in start.md with --test",
    "dbt docs generate": "of dbt, and changes nothing in a database",
    "make demo ARGS='--accounts 500'": "the demo with another size",
    "make dashboard ARGS='--output customers.html'": "make dashboard, into another file",
    "make dbt": "test_first_steps.py",
    "make dashboard": "test_first_steps.py",
    "make warehouses": "in the hosted workflow, with emulators",
    "make docs": "a mark that says where a part comes from",
    "make test": "is what runs this",
    "make demo": "in the first steps of the README",
    "make field": "in a workflow of its own, which needs a network",
    ".venv/bin/python -m sandbox --help": "test_first_steps.py",
    "pip install .": "make build installs the wheel so",
    "pipx install .": "the same by another installer",
    "uv tool install .": "the same by another installer",
    "pip install dbt-postgres": "lent by the tests, as the loaders are",
    "dbt ls --select source:vitally.accounts+": "tests/dbt/test_odd_tables.py",
    "dbt --quiet run-operation held --args '{streams: [users, tasks], ids: true}'": "tests/dbt/test_lists.py",
    "dbt source freshness": "named as what reads a column",
    "curl http://127.0.0.1:8766/control/events": "tests/sandbox/test_analytics.py, without curl",
    "meltano install": "in start.md",
    "meltano run": "in start.md",
    "meltano run --force": "field/schedulers.py",
    "meltano state list": "field/workspaces.py, as a line of all.sh",
    "meltano state get": "in costs.md",
    "meltano state set": "of Meltano, and changes its own database alone",
    "meltano run tap-vitally target-postgres": "in start.md",
    "meltano select tap-vitally --list --all": "of Meltano, and changes nothing",
    "meltano run tap-postgres target-vitally": "test_pushing.py, with the settings before it",
    "meltano run tap-postgres target-vitally tap-jsonl target-vitally": "two of them in one",
    "meltano invoke target-vitally --input undo.jsonl": "test_undo_page.py, without Meltano",
    """sh put.sh accounts '{"externalId": "a-1", "name": "Example Mills"}'""": "test_commands.py",
}
"""Commands within sentences, and why no block of them is run, or where they are."""


def constants(tree: ast.Module) -> dict[str, str]:
    """The names that stand for a text in a file."""
    return {
        target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def run_by_tests() -> Iterator[tuple[str, str]]:
    """Which blocks are taken from which pages to run them: ``shell(page, begins)``."""
    for file in (*(ROOT / "tests" / "whole").glob("test_*.py"), *(ROOT / "field").glob("*.py")):
        text = file.read_text(encoding="utf-8")
        if not re.search(r"\bshell(_block)?\(", text):
            continue  # a third of the time is paid for the others
        tree = ast.parse(text)
        known = constants(tree)
        for call in ast.walk(tree):
            if (
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Name)
                and call.func.id in {"shell", "shell_block"}  # the second names pages below docs
            ):
                page, begins = (
                    known.get(part.id, "") if isinstance(part, ast.Name) else ast.literal_eval(part)
                    for part in call.args
                )
                assert page, f"{file.name} does not say which page"
                assert begins, f"{file.name} does not say which block of {page}"
                yield page if call.func.id == "shell" else f"docs/{page}", begins


@cache
def blocks_run() -> frozenset[tuple[str, str]]:
    """All of these: to parse the tests for each page took 16 s."""
    return frozenset(run_by_tests())


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_commands_is_run(page: str) -> None:
    begins = {start for name, start in blocks_run() if name == page}
    by_field = {(ROOT / "docs/examples/workspaces" / name).read_text().rstrip() for name in SCRIPTS}
    not_run = [block for block in shell_blocks(page) if not block.startswith(tuple(begins))]
    assert [block for block in not_run if block.rstrip() not in by_field] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_in_a_sentence_is_accounted_for(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    prose = re.sub(r"^( *)```.*?^\1```", "", text, flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(rf"`((?:{PROGRAMS})(?: [^`]+| ?/[^`]+))`", prose))
    assert named - MENTIONED.keys() == set()


def test_nothing_is_accounted_for_that_no_page_names() -> None:
    text = "\n".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert [command for command in MENTIONED if f"`{command}`" not in text] == []
