"""The process that forks a program: ``python fork_server.py FD SCRIPT``, where FD is a socket that listens.

It is run by the Python of the program, and imports what the script imports. It ends with its standard input,
and what it has started ends with the launcher that asked for it.
"""

from __future__ import annotations

import atexit
import gc
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace

LENGTH = 4


@dataclass
class Request:
    """What a launcher was started with."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str
    streams: list[int]
    """Which of its standard streams are open."""
    passed: list[int] = field(default_factory=list)
    """What they are here."""


class ForkServer:
    """Forks for each launcher, passes on its signals, and tells it how the fork has ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._launchers: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._ended, self._wakeup = socket.socketpair()
        self._wakeup.setblocking(False)  # noqa: FBT003 - its only parameter
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for source in (sys.stdin, listener, self._ended):
            self._selector.register(source, selectors.EVENT_READ)

    def next_request(self) -> Request | None:
        """Serve; return in each fork what it has to run, and None at the end in this process."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is sys.stdin:
                    return None
                if key.fileobj is self._ended:
                    self._ended.recv(4096)
                    self._report_ends()
                elif key.fileobj is not self._listener:
                    self._pass_on(key.data)
                elif request := self._fork():
                    return request

    def _fork(self) -> Request | None:
        launcher, _ = self._listener.accept()
        header, passed, *_ = socket.recv_fds(launcher, LENGTH, 3)
        if len(header) < LENGTH:  # killed before it could ask
            launcher.close()
            return None
        with launcher.makefile("rb") as file:
            asked = marshal.loads(file.read(int.from_bytes(header, "big")))  # noqa: S302 - our own
        pid = os.fork()
        if pid == 0:
            launcher.close()
            return replace(Request(*asked), passed=passed)
        for number in passed:
            os.close(number)
        self._launchers[pid] = launcher
        self._selector.register(launcher, selectors.EVENT_READ, pid)
        return None

    def _pass_on(self, pid: int) -> None:
        if pid not in self._launchers:  # it has just ended
            return
        numbers = self._launchers[pid].recv(16)
        if not numbers:
            self._selector.unregister(self._launchers[pid])
        with suppress(ProcessLookupError):
            for number in numbers or [signal.SIGKILL]:
                os.kill(pid, number)

    def _report_ends(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                launcher = self._launchers.pop(pid)
                with suppress(KeyError):
                    self._selector.unregister(launcher)
                with suppress(OSError):
                    launcher.send(status.to_bytes(LENGTH, "big"))
                launcher.close()

    def close(self) -> None:
        """Let go of what a fork must not hold open."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for each in (self._listener, self._ended, self._wakeup, *self._launchers.values()):
            each.close()


def become(request: Request, script: str) -> None:
    """Become the process that was asked for."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if number not in request.streams:
            os.close(number)
            setattr(sys, name, None)
    for number, passed in zip(request.streams, request.passed, strict=True):
        os.dup2(passed, number)
        os.close(passed)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    sys.argv = [script, *request.arguments]


class QuickEnd:
    """Ends a fork when Python has run what was to run at its end.

    To take all modules apart after that is nothing a program asks for, and took 20 ms of 35.
    """

    def __init__(self) -> None:
        self.code: int | None = None
        """What the program ended with; None leaves the end to Python, which tells of what went wrong."""

    def run(self, script: str) -> None:
        """Run a script as a program."""
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            if end.code is None or isinstance(end.code, int):
                self.code = int(end.code or 0)
            raise
        self.code = 0

    def end(self) -> None:
        """End, if all that was printed can be written."""
        if self.code is None:
            return
        with suppress(OSError, ValueError):
            for stream in (sys.stdout, sys.stderr):
                if stream:
                    stream.flush()
            os._exit(self.code & 0xFF)


def main() -> None:
    """Import what the script imports, and run it in each fork."""
    number, script = sys.argv[1:]
    quick = QuickEnd()
    atexit.register(quick.end)  # before all others, so that it runs after them
    runpy.run_path(script)
    gc.freeze()
    server = ForkServer(socket.socket(fileno=int(number)))
    request = server.next_request()
    server.close()
    if request:
        become(request, script)
        quick.run(script)


if __name__ == "__main__":
    main()
