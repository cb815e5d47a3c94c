"""A workspace that takes writes, and a target that writes there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from harness.support import waits_pass_in_no_time
from harness.workspace import Workspace, workspace


@pytest.fixture
def open_workspace() -> Iterator[Callable[..., Workspace]]:
    """Open workspaces that end with the test: ``open_workspace(links="add")``."""
    with ExitStack() as running:
        yield lambda **switches: running.enter_context(workspace(**switches))


@pytest.fixture
def here(open_workspace: Callable[..., Workspace]) -> Workspace:
    """A workspace that has only what the app alone edits."""
    made = open_workspace()
    made.put("admins", name="Ada", email="ada@example.com")
    for name in ("taskCategories", "noteCategories", "projectTemplates", "projectCategories"):
        made.put(name, name="Usual")
    return made


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    """Let what is waited for pass at once."""
    with waits_pass_in_no_time():
        yield


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep settings in the environment out of the tests."""
    monkeypatch.delenv("TARGET_VITALLY_API_KEY", raising=False)
