"""Every message that asks for something to be done stands in the docs, word for word."""

from __future__ import annotations

import ast
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from harness.support import ROOT, command, config_for
from sandbox import Fault, World, serve
from tap_vitally.tap import TapVitally
from tests.whole.failure_cases import FAILURE_CASES, Stage, mistaken
from vitally_api import Policy

VARIABLE = "…"
"""Stands for what differs from case to case."""
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGE = re.compile(r"^- `(.+)`$", re.MULTILINE)
OF_THE_TAP, _, OTHERS = PAGE.partition("\n## The target\n")
OF_THE_TARGET, _, OF_MELTANO = OTHERS.partition("\n## Meltano\n")
DESCRIBED = MESSAGE.findall(OF_THE_TAP)


def batches_in(folder: Path) -> Mapping[str, Any]:
    """Return the setting that has records written into files of a folder."""
    encoding = {"format": "jsonl", "compression": "gzip"}
    return {"encoding": encoding, "storage": {"root": folder.as_uri()}}


def selecting(stage: Stage, *streams: str, **settings: Any) -> list[str]:
    """Return the command line of a run with a catalog that selects these streams."""
    return command(stage.folder, config_for(stage.sandbox.url, **settings), select=streams)


SAME_LISTS = Fault("param_ignored", "npsResponses", param="target")
SHORT_LIST = Fault("cut_list", "accounts", rows=1, after=1)
LONGER_BEFORE = {"bookmarks": {"inventory_runs": {"counts": {"accounts": 12}}}}

FAILURE_CASES |= {
    "lists that are the same": lambda stage: stage.answered(SAME_LISTS, select=("nps_responses",)),
    "a list of ids that is short": lambda stage: stage.answered(
        SHORT_LIST,
        select=("inventory", "inventory_runs"),
        state=LONGER_BEFORE,
        inventory_resources=["accounts"],
    ),
    "no catalog": partial(mistaken, lambda stage: stage.command("--catalog", __file__)),
    "patterns": partial(
        mistaken,
        lambda stage: selecting(stage, "admins"),
        MELTANO_EXTRACT__SELECT='["acounts.*", "admins.mail"]',
    ),
    "nothing selected": partial(mistaken, selecting, MELTANO_EXTRACT__SELECT='["!*.*"]'),
    "batches": partial(
        mistaken, lambda stage: selecting(stage, "admins", batch_config=batches_in(stage.folder))
    ),
}

Told = Callable[[str], list[str]]


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """What is said in a trouble, which is made only once."""
    kept = Kept()
    logger = logging.getLogger()
    with serve(World(seed=1, accounts=12)) as sandbox, pytest.MonkeyPatch.context() as patch:
        patch.setattr(TapVitally, "policy", Policy(patience=0))
        stage = Stage(sandbox, tmp_path_factory.mktemp("stage"), patch, kept.records)
        logger.addHandler(kept)
        yield cache(lambda name: FAILURE_CASES[name](stage))
        logger.removeHandler(kept)


def matches(pattern: str, message: str) -> bool:
    """Return True if a message is the one that the page describes."""
    parts = (re.escape(part) for part in pattern.split(VARIABLE))
    return re.fullmatch(".+?".join(parts), message, re.DOTALL) is not None


@pytest.mark.parametrize("name", FAILURE_CASES)
def test_what_is_said_is_described_once(name: str, reported: Told) -> None:
    messages = reported(name)
    assert messages
    for message in messages:
        assert len([pattern for pattern in DESCRIBED if matches(pattern, message)]) == 1, message


def written_in(package: str) -> Iterator[str]:
    """Yield the text of each message in a package's code, with … for what differs."""
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[sd]|\{\}", VARIABLE, node.value)
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(part.value) if isinstance(part, ast.Constant) else VARIABLE
                    for part in node.values
                )


def test_what_is_described_of_the_target_is_in_its_code() -> None:
    messages = {text.strip() for text in written_in("target_vitally")}
    described = MESSAGE.findall(OF_THE_TARGET)
    assert len(described) > 15
    assert [text for text in described if text not in messages] == []


@pytest.mark.parametrize("pattern", DESCRIBED)
def test_what_is_described_is_said(pattern: str, reported: Told) -> None:
    assert any(matches(pattern, message) for name in FAILURE_CASES for message in reported(name))
