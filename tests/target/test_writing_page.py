"""Each action that the page on writing shows as a row does in the sandbox what it says."""

from __future__ import annotations

import json
import re
from typing import Any

from harness.support import ROOT
from harness.target import messages
from sandbox import World, serve
from target_vitally.pipeline.settings import SCHEMA
from target_vitally.resources import RESOURCES
from tests.target.test_sandbox import KEY, There

PAGE = (ROOT / "docs" / "writing.md").read_text(encoding="utf-8")
ACTIONS = re.findall(
    r"^\| ((?:Create|Update|Delete) [^|]+) \| (\w+) \| `(.+)` \|$", PAGE, re.MULTILINE
)
COVERAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
COVERED = re.findall(
    r"^\| ((?:Create|Update|Delete) [^|]+) \| `(\w+)` \|([^|]*)\|$", COVERAGE, re.MULTILINE
)
WORDS = {"Create": "created", "Update": "updated", "Delete": "deleted"}


def test_every_action_of_the_page_is_carried_out_by_its_row() -> None:
    assert len(ACTIONS) == 31
    world = World(seed=1, accounts=4)
    with serve(world, key=KEY) as sandbox:
        there = There(sandbox.url, world)
        there.write(
            messages(
                organizations=[{"externalId": "o-9", "name": "Gone"}],
                accounts=[{"externalId": "a-9", "name": "Gone"}],
                users=[{"externalId": "u-9", "email": "g@example.com", "accountExternalId": "a-9"}],
            )
        )
        project = ""
        for action, stream, text in ACTIONS:
            row: Any = json.loads(text)
            row = there.known(row)
            if "templateName" in row:
                row["templateName"] = there.name("projectTemplates")
            if row.get("id"):
                row["id"] = project
            said = messages(**{stream: [row]})
            mode = {"streams": {stream: {"mode": "create"}}} if "templateName" in row else {}
            found = there.write(said, deletes="delete", delete_custom_objects=True, **mode)
            wanted = WORDS[action.partition(" ")[0]]
            if action == "Delete Custom Object":  # the API may not offer it: the reason says so
                wanted = found.words[0]
                assert wanted in {"deleted", "rejected"}
            assert found.words == [wanted], (action, found.reasons, found.failure)
            project = (
                str(found.results[0].get("id") or project) if stream == "projects" else project
            )


def test_the_page_on_coverage_leaves_no_action_out() -> None:
    assert [(action, stream) for action, stream, _ in COVERED] == [
        (action, stream) for action, stream, _ in ACTIONS
    ]
    for action, stream, settings in COVERED:
        assert stream in RESOURCES
        named = set(re.findall(r"`([^`]+)`", settings))
        assert named <= SCHEMA["properties"].keys()
        assert ("deletes" in named) is action.startswith("Delete")
