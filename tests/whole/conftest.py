"""Fixtures of the tests of whole runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.support import waits_pass_in_no_time


@pytest.fixture
def hurry() -> Iterator[None]:
    """Let all waits pass at once."""
    with waits_pass_in_no_time():
        yield
