"""The entry of a stream in STATE: where a run starts, and what it stores.

An entry under ``bookmarks`` holds ``replication_key`` and ``replication_key_value``, the bookmark;
``host`` and ``workspace``, what it was written for; ``contexts``, the lists it stands for, where a
stream has several; ``wholeReadAt``, when the last read of all its records began; ``skipped``, the
parents that could not be read and are tried again; ``walk``, what the scans of parents left;
``counts``, how many ids the lists of an inventory had; and, only while a pass is unfinished,
``resume``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from tap_vitally.state.passes import FIRST_PASS, SORT_KEYS, Pass, SortKey, next_bookmark
from tap_vitally.state.watermarks import ScanHistory
from vitally_api.values import format_moment, latest, parse_moment


@dataclass(frozen=True)
class Resume:
    """Where an interrupted pass goes on, as STATE has it under ``resume``.

    ``signpost`` is the server's clock when the pass began, in the run that began it; ``newest`` the
    latest change delivered in it. ``context`` is the list it was in, a label such as
    ``archived=true``, empty for a single list; ``cursor`` the one after the last page delivered
    whole; ``sort_by`` the order that it is bound to. Below parents, ``context`` is all lists of
    each parent and which parents are scanned, and parents created (or changed, by ``sort_by``) after
    ``parents_after`` are done; ``done`` are the lists of a declared stream that are. ``start`` is from
    when on the pass wants records, null for all of them: the next run must not want less, whatever
    bookmark a runner puts beside it.
    """

    signpost: datetime
    newest: datetime | None = None
    context: str = ""
    cursor: str | None = None
    sort_by: SortKey | None = None
    parents_after: datetime | None = None
    start: datetime | None = None
    done: tuple[str, ...] = ()

    def to_state(self) -> dict[str, str | None]:
        """Return the entry ``resume`` for STATE.

        All keys are present, with null if they are not set: a runner may merge this into an older STATE,
        from which no value may stay. ``done`` is one text, since lists might be joined.
        """
        return {each.name: _written(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_state(cls, state: Any) -> Resume | None:
        """Read the result of `to_state`; return None if it is missing or not valid."""
        state = state if isinstance(state, Mapping) else {}
        moments: dict[str, Any] = {
            name: parse_moment(state.get(name))
            for name in ("signpost", "newest", "parents_after", "start")
        }
        if moments["signpost"] is None:
            return None
        cursor, done = state.get("cursor"), state.get("done")
        return cls(
            **moments,
            context=str(state.get("context") or ""),
            cursor=cursor if isinstance(cursor, str) else None,
            sort_by=next((key for key in SORT_KEYS if key == state.get("sort_by")), None),
            done=tuple(done.split()) if isinstance(done, str) else (),
        )

    @property
    def has_begun(self) -> bool:
        """True if the pass has delivered any rows."""
        return bool(self.newest or self.cursor or self.parents_after or self.done)

    def finishing(self, plan: Pass) -> Pass:
        """Extend the plan of a run so that it also finishes this pass.

        A runner may merge the ``resume`` of a full pass with an old bookmark: rows before that bookmark have
        not been delivered then, either.
        """
        if plan.start is None or self.start is None:
            return FIRST_PASS
        return replace(plan, start=min(plan.start, self.start))


def _written(value: Any) -> str | None:
    if isinstance(value, datetime):
        return format_moment(value)
    return value if isinstance(value, str) else " ".join(value or ()) or None


def accounts_in(entry: Mapping[str, Any]) -> list[str] | None:
    """Return the account ids by which an entry identifies its workspace; None if it has none."""
    workspace = entry.get("workspace")
    accounts = workspace.get("accounts") if isinstance(workspace, Mapping) else None
    return _texts(accounts) if isinstance(accounts, list) else None


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str) and each] if value else []


def reason_to_discard(
    entry: Mapping[str, Any],
    signpost: datetime | None,
    services: str | None,
    recognized: Callable[[list[str] | None], bool] = lambda _: True,
) -> str:
    """Return why an entry of STATE cannot be used; empty if it can.

    ``recognized`` returns True if the accounts of the entry are those of this workspace. A bookmark later
    than the server's clock would hide all changes until then: it was edited by hand, or written when the
    server's clock was wrong.
    """
    written_for = entry.get("host")
    other_host = services and isinstance(written_for, str) and written_for != services
    if other_host or not recognized(accounts_in(entry)):
        return "it was written for another workspace"
    state = StreamState.from_state(entry, entry.get("replication_key"), signpost)
    reported = entry.get("replication_key_value")
    bookmark = parse_moment(reported)
    if reported is not None and bookmark is None:
        return "its bookmark is no moment"
    resumed = state.resume and state.resume.signpost
    moments = (bookmark, resumed, state.whole_read_at, *state.scanned.moments)
    if signpost and any(moment > signpost for moment in moments if moment):
        return "it is ahead of the server's clock"
    return ""


@dataclass
class StreamState:
    """What a stream knows of its own past, and learns in this run.

    From STATE come ``bookmark``, where the last complete run left off; ``contexts``, the lists it
    stands for, None if STATE does not say; ``to_retry``, the ids of parents that an earlier run
    could not read; ``resume``, where an interrupted run left off; ``scanned``, what complete runs
    left of the scans of parents; ``whole_read_at``, when the last read of all records began;
    ``counts``, how many ids each list of an inventory had. This run adds ``newest``, the latest change
    delivered; ``finished``, the lists read to their end; ``skipped``, the parents it could not read;
    ``services``, a fingerprint of the host; ``workspace``, ids of accounts that no other has.
    """

    signpost: datetime | None
    bookmark: datetime | None = None
    contexts: list[str] | None = None
    to_retry: frozenset[str] = frozenset()
    resume: Resume | None = None
    newest: datetime | None = None
    finished: set[str] = field(default_factory=set)
    skipped: list[str] = field(default_factory=list)
    services: str | None = None
    scanned: ScanHistory = field(default_factory=ScanHistory)
    workspace: list[str] = field(default_factory=list)
    whole_read_at: datetime | None = None
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_state(
        cls,
        entry: Mapping[str, Any],
        key: str | None,
        signpost: datetime | None,
        services: str | None = None,
    ) -> StreamState:
        """Read a stream's entry, which may be empty; ``key`` is None for a full table."""
        known = key is not None and entry.get("replication_key") == key
        contexts, skipped, counts = (entry.get(n) for n in ("contexts", "skipped", "counts"))
        return cls(
            signpost,
            bookmark=parse_moment(entry.get("replication_key_value")) if known else None,
            contexts=contexts if isinstance(contexts, list) else None,
            to_retry=frozenset(_texts(skipped) if isinstance(skipped, list) else ()),
            resume=Resume.from_state(entry.get("resume")),
            services=services,
            scanned=ScanHistory.from_state(entry.get("walk")),
            whole_read_at=parse_moment(entry.get("wholeReadAt")),
            counts={
                name: count
                for name, count in (counts.items() if isinstance(counts, Mapping) else ())
                if isinstance(count, int)
            },
        )

    @property
    def written_for(self) -> dict[str, Any]:
        """The part of an entry that identifies the workspace."""
        return {"host": self.services, "workspace": {"accounts": self.workspace}}

    def go_on(self, labels: list[str]) -> None:
        """Resume the interrupted pass with its signpost; ``labels`` are the stream's lists in order."""
        if self.resume:
            self.signpost, self.newest = self.resume.signpost, self.resume.newest
            if self.resume.context in labels:
                self.finished.update(labels[: labels.index(self.resume.context)])

    def take(self, newest: datetime | None) -> None:
        """Note the latest change on a page."""
        self.newest = latest((self.newest, newest))

    def at(self, context: str, plan: Pass, **where: Any) -> Resume | None:
        """Return the current place of a pass, in a list or after a parent; None without a signpost."""
        if self.signpost is None:
            return None
        sort_by, start = plan.sort_by, plan.start
        return Resume(self.signpost, self.newest, context, sort_by=sort_by, start=start, **where)

    def unfinished(self, resume: Resume) -> dict[str, Any]:
        """Return the parts of the entry that change while the pass is at ``resume``."""
        skipped = sorted(self.to_retry.union(self.skipped))
        return {"resume": resume.to_state(), "skipped": skipped, **self.written_for}

    def complete(self, key: str | None) -> dict[str, Any]:
        """Return the parts of the entry that change after a complete pass."""
        entry: dict[str, Any] = {"resume": None, "skipped": self.skipped}
        bookmark = next_bookmark(self.bookmark, self.newest, self.signpost)
        if key and bookmark:
            entry |= {"replication_key": key, "replication_key_value": format_moment(bookmark)}
        if key:
            entry |= self.written_for
            # None finished: the bookmark has not moved, and stands for what it stood for.
            entry["contexts"] = sorted(filter(None, self.finished)) or self.contexts
        return entry
