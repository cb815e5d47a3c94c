"""The script of the docs keeps STATE however it ends: by itself, by a signal, or killed."""

from __future__ import annotations

import configparser
import json
import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.support import ROOT
from tests.whole.terminal import shell

TAP = """#!/bin/sh
# A tap that is at work until it is ended, if there is work, and says last how far it has come.
cp "$5" given.json
echo '{"page": 1}'
echo '{"page": 2}'
[ -e busy ] || exit "$(cat code)"
sleep 60 2> /dev/null & work=$!
trap 'kill $work; echo "{\\"page\\": 3}"; exit 143' TERM
echo $$ > started
wait $work
"""
TARGET = "#!/bin/sh\n# Says what it has stored.\nexec cat\n"
SHELLS = [path for name in ("dash", "bash") if (path := shutil.which(name))]


@dataclass
class Folder:
    """Where the script is kept, and what it leaves."""

    path: Path
    shell: str

    def start(self, command: list[str] | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command or [self.shell, "sync.sh"],
            cwd=self.path,
            env={"PATH": f"{self.path}:{os.environ['PATH']}"},
            stderr=subprocess.PIPE,
        )

    def at_work(self, command: list[str] | None = None) -> tuple[subprocess.Popen[bytes], int]:
        """Start the script; return it when the tap is at work, whose process is told, too."""
        (self.path / "busy").touch()
        running = self.start(command)
        tap = int((self.path / "started").read_text())
        (self.path / "busy").unlink()
        return running, tap

    def read(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())


@pytest.fixture(params=SHELLS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    (tmp_path / "sync.sh").write_text(shell("docs/start.md", "#!/bin/sh"))
    (tmp_path / "code").write_text("0")
    os.mkfifo(tmp_path / "started")
    for name, text in (("tap-vitally", TAP), ("target-jsonl", TARGET)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return Folder(tmp_path, request.param)


@pytest.mark.parametrize("code", [0, 1])
def test_state_is_kept_and_the_exit_code_tells_whether_the_tap_failed(
    folder: Folder, code: int
) -> None:
    (folder.path / "code").write_text(str(code))
    with folder.start() as running:
        assert running.communicate(timeout=60)[1] == b""
    assert (running.returncode == 0) == (code == 0)
    assert folder.read("given.json") == {}
    assert folder.read("state.json") == {"page": 2}
    assert not (folder.path / "states.jsonl").exists()


def test_a_target_that_cannot_start_fails_the_run(folder: Folder) -> None:
    (folder.path / "target-jsonl").write_text("#!/bin/sh\nexit 3\n")
    with folder.start() as running:
        running.communicate(timeout=60)
    assert running.returncode == 1
    assert folder.read("state.json") == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_tap_and_what_it_says_last_is_kept(
    folder: Folder, number: signal.Signals
) -> None:
    running, _ = folder.at_work()
    with running:
        running.send_signal(number)
        running.communicate(timeout=60)
    assert running.returncode == 1
    assert folder.read("state.json") == {"page": 3}


def test_systemd_ends_the_tap_alone_and_starts_no_second_run(folder: Folder) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.read(ROOT / "docs" / "examples" / "vitally.service")
    command = shlex.split(unit["Service"]["ExecStart"].replace("/bin/sh", folder.shell))
    assert unit["Service"]["KillMode"] == "mixed", "SIGTERM goes to the first process alone"
    running, _ = folder.at_work(command)
    with running:
        with folder.start(command) as second:
            assert second.communicate(timeout=60)[1] == b""
        assert second.returncode == 1
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=60)
    assert running.returncode == 1
    assert folder.read("state.json") == {"page": 3}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="this machine has no systemd")
def test_systemd_takes_the_files() -> None:
    files = [ROOT / "docs" / "examples" / f"vitally.{kind}" for kind in ("service", "timer")]
    command = ["systemd-analyze", "verify", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_a_run_left_whose_shell_was_killed_is_taken_over(folder: Folder) -> None:
    running, tap = folder.at_work()
    with running:
        running.kill()
        running.wait(timeout=60)
        os.kill(tap, signal.SIGTERM)
        running.communicate(timeout=60)  # until the target, too, has ended
    assert folder.read("state.json") == {}
    with (folder.path / "states.jsonl").open("a") as file:
        file.write('{"page": {"cut": 4}')
    with folder.start() as again:
        assert again.communicate(timeout=60)[1] == b""
    assert again.returncode == 0
    assert folder.read("given.json") == {"page": 3}
    assert folder.read("state.json") == {"page": 2}
