"""What a run of the benchmarks writes into the page of results, and what it leaves there."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import CASES, main
from benchmarks.bench import Bench, Line
from benchmarks.processes import BenchmarkError
from benchmarks.report import README, keep, machine


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return Path(shutil.copy(README, tmp_path))


def blocks(page: Path) -> dict[str, str]:
    """The results of each case, and under no name what stands between them."""
    text, found = page.read_text(), {}
    for case in CASES:
        before, begin, rest = text.partition(f"<!-- {case} -->")
        found[case], end, after = rest.partition(f"<!-- end of {case} -->")
        assert begin, case
        assert end, case
        text = before + after
    return {**found, "": text}


def run(page: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    monkeypatch.setattr(Bench, "__init__", lambda *_: None)
    main(page)


def measured(bench: Bench) -> Iterator[Line]:
    del bench
    yield Line("made up", r"tap \1", 1.5, math.nan, 60, 12, 3456, "as good as any")


def broken(bench: Bench) -> Iterator[Line]:
    yield from measured(bench)
    raise BenchmarkError


@pytest.mark.parametrize("case", CASES)
def test_each_case_has_a_block_of_its_own(case: str, page: Path) -> None:
    before = blocks(page)
    keep(page, case, "new")
    assert blocks(page) == {**before, case: "\n\nnew\n\n"}


def test_a_case_without_a_block_is_refused(page: Path) -> None:
    before = page.read_text()
    with pytest.raises(BenchmarkError, match="has 0 blocks from <!-- unknown -->"):
        keep(page, "unknown", "new")
    assert page.read_text() == before


def test_a_run_of_one_case_keeps_the_results_of_all_others(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = blocks(page)
    monkeypatch.setitem(CASES, "cpu", measured)
    run(page, monkeypatch, "--only", "cpu", "--repeat", "2")
    after = blocks(page)
    assert {case for case in before if before[case] != after[case]} == {"cpu"}
    assert "`python -m benchmarks --only cpu --repeat 2` on 2" in after["cpu"]
    assert ", commit " in after["cpu"]
    assert r"| made up | tap \1 | 1.50 |  | 60 | 12 | 3,456 | as good as any |" in after["cpu"]


def test_a_run_that_fails_has_kept_what_it_measured_until_then(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = blocks(page)
    monkeypatch.setitem(CASES, "models", measured)
    monkeypatch.setitem(CASES, "cpu", broken)
    with pytest.raises(BenchmarkError):
        run(page, monkeypatch, "--only", "models", "cpu", "start-up")
    after = blocks(page)
    assert {case for case in before if before[case] != after[case]} == {"models"}


def test_a_quick_run_prints_its_results_alone(
    page: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = page.read_text()
    monkeypatch.setitem(CASES, "cpu", measured)
    run(page, monkeypatch, "--quick", "--only", "cpu")
    assert page.read_text() == before
    assert "| made up |" in capsys.readouterr().out


def test_it_is_said_what_was_measured() -> None:
    said = machine("--only cpu", "commit abc1234 with changes", 1)
    assert "on 20" in said
    assert "commit abc1234 with changes: " in said
    assert "each line is one run." in said
