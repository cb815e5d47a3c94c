"""What a new stream needs is there: each test names the stream and the step of CONTRIBUTING that is left."""

from __future__ import annotations

import sys

import pytest

from harness.support import ROOT, run_command
from sandbox.factories import FACTORIES
from sandbox.resources import LISTS as RESOURCES
from sandbox.resources import resource_of
from tap_vitally.streams import STREAMS
from tests.whole import lists
from vitally_api.resources import LISTS, NESTED

DECLARED = {stream.name: stream for stream in STREAMS}
LISTED = [name for name in LISTS if resource_of(name) in RESOURCES]
NESTED_LISTS = sorted({name for below in NESTED.values() for name in below} - {"accounts"})


@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_stream_reads_what_the_table_says(name: str) -> None:
    stream, api = DECLARED[name].resource, LISTS[name]
    step = f"{name}: declare a stream of that name in tap_vitally/streams (step 2)"
    assert (stream.path, stream.variants, stream.sortable) == (
        api.path,
        api.variants,
        api.sortable,
    ), step


@pytest.mark.parametrize("name", LISTED)
def test_the_sandbox_serves_a_list(name: str) -> None:
    resource = resource_of(name)
    step = f"{name}: name {resource!r} in FACTORIES of a file in sandbox/factories (step 3)"
    assert resource in FACTORIES, step
    assert FACTORIES[resource].size, f"{step}: it has no size"
    assert FACTORIES[resource].edited, f"{step}: it has no edited field"


@pytest.mark.parametrize("name", LISTED)
def test_the_tests_know_how_a_list_is_asked_for(name: str) -> None:
    resource = resource_of(name)
    known = {*lists.SORTED, *lists.WHOLE, *lists.UNSORTED}
    assert resource in known, f"{name}: add {resource!r} to tests/whole/lists.py (step 4)"


@pytest.mark.parametrize("name", NESTED_LISTS)
def test_the_tests_know_a_nested_list(name: str) -> None:
    resource = resource_of(name)
    assert resource in lists.NESTED, f"{name}: add {resource!r} to NESTED in tests/whole/lists.py"


@pytest.mark.parametrize("name", sorted(LISTS))
def test_the_changelog_names_a_stream(name: str) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"`{name}`" in changelog, f"{name}: add a line to CHANGELOG.md (step 5)"


def test_what_is_generated_is_up_to_date() -> None:
    done = run_command([sys.executable, "-m", "scripts.readme", "--check"])
    assert done.returncode == 0, done.stdout + done.stderr
