"""The commands of the page on undo files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.support import config_for
from harness.target import messages
from sandbox import World, serve
from tests.whole.terminal import Terminal, shell

PAGE = "docs/undo.md"
pytestmark = pytest.mark.journey


def test_a_run_is_taken_back_as_the_page_says(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    with serve(World(seed=1, accounts=4)) as sandbox:
        before = {id_: row["name"] for id_, row in sandbox.world.tables["accounts"].rows.items()}

        def names() -> dict[str, str]:
            return {id_: row["name"] for id_, row in sandbox.world.tables["accounts"].rows.items()}

        keys = [row["externalId"] for row in sandbox.world.tables["accounts"].rows.values()]
        rows = [{"externalId": key, "name": f"New {key}"} for key in (*filter(None, keys), "new")]
        (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, messages(accounts=rows))))
        config = config_for(sandbox.url, undo_file="undo.jsonl")
        (tmp_path / "config.json").write_text(json.dumps(config))
        terminal.run("target-vitally --config config.json --input rows.jsonl")
        pushed = names()
        assert set(pushed.values()) >= {row["name"] for row in rows}
        terminal.run(shell(PAGE, "TARGET_VITALLY_DRY_RUN=true"))
        assert names() == pushed
        terminal.run(shell(PAGE, "target-vitally --config config.json --input undo.jsonl"))
        assert names() == before
        # The undo has written an undo file of its own, in the place of the first.
        terminal.run(shell(PAGE, "target-vitally --config config.json --input undo.jsonl"))
        assert sorted(names().values()) == sorted(pushed.values())
