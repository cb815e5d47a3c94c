"""A stream's place in STATE: where this run starts from, and what it may remember.

An entry under ``bookmarks`` holds ``replication_key`` and ``replication_key_value``, the bookmark;
``contexts``, the lists it stands for, where a stream has several; ``skipped``, the parents that
could not be read and are tried again; and, only while a pass is unfinished, ``resume``
(`tap_vitally.replication.Resume`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_vitally.replication import Resume, format_instant, latest, next_bookmark, parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass
class Place:
    """What a stream knows of its own past, and learns in this run.

    Attributes:
        signpost: The server's clock before the first row of the pass was asked for.
        bookmark: Where the last complete run left off.
        contexts: The lists that the bookmark stands for; None if the state does not say.
        to_retry: Ids of parents that an earlier run could not read.
        resume: Where an interrupted run left off.
        newest: The latest change delivered in this pass.
        finished: The lists read to their end in this pass.
        skipped: Ids of parents that this run could not read.
    """

    signpost: datetime | None
    bookmark: datetime | None = None
    contexts: list[str] | None = None
    to_retry: frozenset[str] = frozenset()
    resume: Resume | None = None
    newest: datetime | None = None
    finished: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], key: str | None, signpost: datetime | None
    ) -> Place:
        """Read the stream's entry, as any version of the tap may have left it.

        Args:
            state: The entry; empty if there is none.
            key: The stream's replication key; None for a full table.
            signpost: The server's clock at the start of this run.

        Returns:
            The place.
        """
        known = key is not None and state.get("replication_key") == key
        contexts, skipped = state.get("contexts"), state.get("skipped")
        return cls(
            signpost,
            bookmark=parse_instant(state.get("replication_key_value")) if known else None,
            contexts=contexts if isinstance(contexts, list) else None,
            to_retry=frozenset(
                identity
                for identity in (skipped if isinstance(skipped, list) else ())
                if isinstance(identity, str)
            ),
            resume=Resume.from_state(state.get("resume")),
        )

    def go_on(self, labels: list[str]) -> None:
        """Take up the interrupted pass: it keeps its signpost, so its bookmark comes no later.

        Args:
            labels: The stream's lists, in their order.
        """
        if self.resume:
            self.signpost = self.resume.signpost
            self.newest = self.resume.newest
            if self.resume.context in labels:
                self.finished.update(labels[: labels.index(self.resume.context)])

    def take(self, newest: datetime | None) -> None:
        """Take in the latest change of a page.

        Args:
            newest: The change.
        """
        self.newest = latest((self.newest, newest))

    def unfinished(self, resume: Resume) -> dict[str, Any]:
        """Say where the pass is.

        Args:
            resume: The place in it.

        Returns:
            The parts of the entry that change.
        """
        return {"resume": resume.to_state(), "skipped": sorted(self.to_retry.union(self.skipped))}

    def complete(self, key: str | None) -> dict[str, Any]:
        """Say what a complete pass may remember.

        Args:
            key: The stream's replication key; None for a full table.

        Returns:
            The parts of the entry that change.
        """
        entry: dict[str, Any] = {"resume": None, "skipped": self.skipped}
        bookmark = next_bookmark(self.bookmark, self.newest, self.signpost)
        if key and bookmark:
            entry |= {"replication_key": key, "replication_key_value": format_instant(bookmark)}
        if key:
            # None finished: the bookmark has not moved, and stands for what it stood for.
            entry["contexts"] = sorted(filter(None, self.finished)) or self.contexts
        return entry
