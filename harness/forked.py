"""Programs in Python that have been imported already: each start is a fork, and takes 50 ms in place of 600.

What is started is a process like any other, with its own standard streams, environment, working folder,
signals and exit code. Only how a program is imported cannot be tested with it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
PYTHON: Final = HERE / "forked_python.py"
NEVER: Final = ("target-duckdb",)
"""What has threads as soon as it is imported, which a fork would lack."""


def forked(command: Sequence[str | PathLike[str]]) -> list[str]:
    """Replace the program of a command by one that is forked."""
    program, *arguments = (fspath(word) for word in command)
    return [fspath(forked_program(program)), *arguments]


@cache
def forked_program(program: str) -> Path:
    """Start the process that forks; return a program that asks it for a fork.

    ``program`` is a console script, or the Python of the tests for ``-m MODULE`` and ``-c CODE``.
    One that cannot be forked is returned as it is.
    """
    if Path(program).name in NEVER:
        return Path(program)
    if program == sys.executable:
        python, script = program, PYTHON
    else:
        script = Path(program)
        python = script.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#!")
    folder = Path(tempfile.mkdtemp(prefix="forked"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    launcher = folder / script.name
    source = (HERE / "launcher.py").read_text(encoding="utf-8")
    launcher.write_text(f"#!{sys.executable} -IS\n{source}", encoding="utf-8")
    launcher.chmod(0o755)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen()
        server = subprocess.Popen(
            [python, "-P", HERE / "fork_server.py", str(listener.fileno()), script],
            stdin=subprocess.PIPE,  # it ends with this
            stdout=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            pass_fds=[listener.fileno()],
        )
    assert server.stdin
    atexit.register(server.wait)
    atexit.register(server.stdin.close)
    return launcher
