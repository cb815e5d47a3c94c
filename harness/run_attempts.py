"""What may happen to one run of the tap, and its output up to where it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.support import Collector
from sandbox.faults import Kind

EndsBy = Literal["peace", "kill", "term"]


class Killed(BaseException):
    """The tap's process is gone: nothing it does after this reaches anybody."""


@dataclass(frozen=True)
class PlannedFault:
    """A `sandbox.Fault` in terms that hold in any workspace.

    ``{account}`` in its path stands for the account of that number.
    """

    kind: Kind
    path: str = "*"
    times: int | None = 1
    after: int = 0
    status: int = 503
    account: int = 0


@dataclass(frozen=True)
class Attempt:
    """One run of the tap, and what happens to it."""

    concurrency: int = 1
    pace: float = 0.0
    """Seconds that the server's clock moves with each request."""
    changes: tuple[tuple[int, int], ...] = ()
    """At which requests the workspace changes, and seeds of how."""
    planned_faults: tuple[PlannedFault, ...] = ()
    ends_by: EndsBy = "peace"
    after: Literal["requests", "lines"] = "lines"
    """What ``at`` counts."""
    at: int = 0
    """When it ends, unless it has come to its end before."""
    flushed: float = 1.0
    """Which share of the output the target had stored when it last passed on a STATE."""
    strays: int = 0
    """A seed: which rows after that it had stored as well."""
    narrow: bool = False
    """True: the settings of this run leave out what is archived or has churned."""


class Pipe:
    """The tap's output, up to where its process ends."""

    def __init__(self, attempt: Attempt | None = None) -> None:
        self.collector = Collector(self._before)
        self.messages = self.collector.messages
        self._attempt = attempt or Attempt()
        self.doomed = False
        """Return True once the run has to end; the tap meets the end at its next line."""
        self.ended = False
        """Return True if what is written now comes from a signal handler."""

    def _before(self) -> None:
        attempt = self._attempt
        if attempt.after == "lines" and len(self.messages) >= attempt.at:
            self.doomed = True
        if self.doomed and not self.ended and attempt.ends_by != "peace":
            raise Killed if attempt.ends_by == "kill" else SystemExit(143)
