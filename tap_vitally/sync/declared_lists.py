"""Lists of a declared stream below parents, or for values, that STATE remembers one by one."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from hashlib import sha256

from typing_extensions import override

from tap_vitally.state.passes import Pass
from tap_vitally.state.stream_state import Resume
from tap_vitally.sync.batches import ListRequest, Page
from tap_vitally.sync.contexts import Checkpoint, PerParent
from tap_vitally.sync.estimates import RequestEstimate

MOST_REMEMBERED = 5_000
"""Lists that an interrupted pass remembers, in 60 kB of STATE; it reads those beyond them again."""
DIGEST_BYTES = 8
"""Of five thousand lists, two have the same digest once in a million million passes."""


class DeclaredLists(PerParent):
    """Lists that no moment of a parent puts in an order: those for values, or of parents in no order.

    Each that was read to its end is remembered for itself.
    """

    @override
    def plan(self, plan: Pass) -> Pass:
        """Read as planned."""
        self._done: list[str] = []
        return super().plan(plan)

    @override
    def can_resume(self, resume: Resume) -> bool:
        """Return True if an interrupted pass is one that this run would make, too."""
        same = resume.context == self.scan.fingerprint
        return self.stream.incremental and same and bool(resume.done)

    @override
    def estimate(self) -> RequestEstimate:
        """Count the lists of all parents, or of all values."""
        client = self.stream.list_client
        lists = sum(1 for parent in self.parents() for _ in client.contexts(parent))
        what = f"the lists of all {self.called}" if lists else self.without_parents
        return RequestEstimate(lists, lists, what)

    @override
    def requests(self) -> Iterator[ListRequest]:
        """Find each list; last, for what has changed, those that an interrupted pass had done."""
        state = self.stream.stream_state
        self._done = list(state.resume.done) if state.resume else []
        known = set(self._done)
        done: list[ListRequest] = []
        for parent in self.parents():
            for request in self.lists_of(parent):
                if _digest(request) in known and parent.id not in state.to_retry:
                    done.append(replace(request, since=state.signpost))
                else:
                    yield request
        yield from done

    @override
    def place(self, batch: Page) -> Checkpoint | None:
        """Remember a list that was read to its end."""
        request, state = batch.request, self.stream.stream_state
        if request.since or not batch.ends or state.signpost is None:
            return None
        if len(self._done) < MOST_REMEMBERED:
            self._done.append(_digest(request))
        done, start = tuple(self._done), self.scan.start
        context = self.scan.fingerprint
        resume = Resume(state.signpost, state.newest, context, start=start, done=done)
        return partial(state.unfinished, resume)


def _digest(request: ListRequest) -> str:
    """Return what STATE knows a list by: nothing of a value can be read in it."""
    of = json.dumps([request.parent and request.parent.id, sorted(request.inject.items())])
    digest = sha256(of.encode()).digest()[:DIGEST_BYTES]
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
