"""A program that is forked is a process like one that is started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.forked import forked

PYTHON = forked([sys.executable])
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


def ran(code: str, *arguments: str, **how: object) -> subprocess.CompletedProcess[str]:
    command = [*PYTHON, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **how)  # type: ignore[call-overload,no-any-return]


def test_it_has_streams_arguments_environment_and_folder_of_its_own(tmp_path: Path) -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ['HUE'], os.getcwd(), sys.stdin.read())"
    found = ran(code, "a b", "", input="said", cwd=tmp_path, env={"HUE": "red"})
    assert found.stdout == f"['a b', ''] red {tmp_path} said\n"
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize(
    ("code", "ends"),
    [("raise SystemExit(3)", 3), ("1 / 0", 1), ("import os; os.kill(os.getpid(), 9)", -9)],
)
def test_it_ends_as_it_would(code: str, ends: int) -> None:
    found = ran(code)
    assert found.returncode == ends
    assert ("ZeroDivisionError" in found.stderr) == (ends == 1)


AT_ITS_END = {
    "what is not flushed": "print('late', end='')",
    "what is left to do": "import atexit; atexit.register(print, 'late'); raise SystemExit(4)",
    "a thread": """
import threading
def print_late(): threading.main_thread().join(); print('late')
threading.Thread(target=print_late).start()
""",
    "a text": "raise SystemExit('late')",
    "an error of what is left to do": "import atexit; atexit.register(divmod, 1, 0)",
    "a code out of range": "raise SystemExit(259)",
    "a truth": "raise SystemExit(True)",
}


@pytest.mark.parametrize("code", AT_ITS_END.values(), ids=AT_ITS_END)
def test_its_end_is_that_of_python(code: str) -> None:
    started = subprocess.run(
        [sys.executable, "-c", code], env=BUFFERED, capture_output=True, text=True, check=False
    )
    found = ran(code)
    assert (found.returncode, found.stdout) == (started.returncode, started.stdout)
    assert found.stderr.splitlines()[-1:] == started.stderr.splitlines()[-1:]


@pytest.mark.parametrize("python", [PYTHON, [sys.executable]], ids=["forked", "started"])
def test_what_nobody_reads_is_an_error(python: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    found = subprocess.run(
        [*python, "-c", "print('unread')"],
        env=BUFFERED,
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert found.returncode == 120
    assert b"BrokenPipeError" in found.stderr


def test_an_output_that_is_closed_is_closed() -> None:
    code = "import sys; sys.exit(5 if sys.stdout is None else 0)"
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *PYTHON, "-c", code]
    assert subprocess.run(command, check=False).returncode == 5


WAITS = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_reaches_it(number: signal.Signals) -> None:
    command = [*PYTHON, "-c", f"import signal; signal.signal(2, signal.SIG_DFL); {WAITS}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert int(process.stdout.readline()) != process.pid
        process.send_signal(number)
        assert process.stdout.read() == b"", "it ends when the process has ended"
        assert process.wait() == -number
