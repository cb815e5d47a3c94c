"""The hunter of lost rows: a workspace that lives, a tap that is killed, a target that is slow.

A hunt is a history: the workspace changes, runs of the tap meet faults and ends of all kinds, and
the workspace goes on changing in the middle of them. After every run that says it is complete, and
after a last run in peace, the target's tables are held against the workspace itself.

`tests/whole/test_hunt.py` hunts for some seconds, `python -m soak` for as long as it is told to.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from random import Random
from typing import Any, Literal
from unittest import mock

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from singer_sdk.singerlib.encoding.simple import Message

from harness.support import Collector, Row, Warehouse, catalog, config_for, plain
from sandbox import Clock, Entry, Fault, Sandbox, World, life, serve
from sandbox.faults import Kind
from tap_vitally.tap import TapVitally
from vitally_api import Budget, VitallyError, retrying

STREAMS = (
    "accounts",
    "users",
    "conversations",
    "notes",
    "note_categories",
    "projects",
    "nps_responses",
    "meetings",
    "custom_objects",
    "custom_object_instances",
    "meeting_transcripts",
    "messages",
    "account_users",
    "account_notes",
    "organization_tasks",
)
"""One of each kind: plain lists, variants, two targets, whole tables, children, details."""
RESOURCES = {
    "accounts": ("accounts",),
    "users": ("users",),
    "conversations": ("conversations",),
    "notes": ("notes",),
    "note_categories": ("noteCategories",),
    "projects": ("projects",),
    "nps_responses": ("npsResponses",),
    "meetings": ("meetings",),
    "custom_objects": ("customObjects",),
    "custom_object_instances": ("instances", "instances", "customObjects"),
    "meeting_transcripts": ("meetingTranscripts",),
    "messages": ("conversations",),
    "account_users": ("users", "users", "accounts"),
    "account_notes": ("notes", "notes", "accounts"),
    "organization_tasks": ("tasks", "tasks", "organizations"),
}
"""What has to change for a stream to change."""
INVENTORIED = ("accounts", "notes", "nps_responses")
BOOKKEEPING = ("inventory", "inventory_runs")

SIZES = {
    "organizations": 2,
    "users": 6,
    "conversations": 5,
    "notes": 9,
    # The fourth project and the sixth meeting are without updatedAt.
    "projects": 5,
    "meetings": 6,
    "meetingTranscripts": 4,
    "tasks": 4,
    "npsResponses": 6,
    "instances": 3,
    "surveyResponses": 0,
    "admins": 3,
}


Ending = Literal["peace", "kill", "term"]


class Loss(AssertionError):
    """A row that the target should hold and does not, or anything as bad."""


class Killed(BaseException):
    """The tap's process is gone: nothing it does after this reaches anybody."""


@dataclass(frozen=True)
class Trouble:
    """A fault, in terms that hold in any workspace.

    Attributes:
        kind: See `sandbox.Fault`, as for all that follow.
        path: ``{account}`` in it stands for one of the accounts.
        times: How often it strikes.
        after: How many requests it lets pass first.
        status: For the kind ``status``.
        account: Which of the accounts it is.
    """

    kind: Kind
    path: str = "*"
    times: int | None = 1
    after: int = 0
    status: int = 503
    account: int = 0


@dataclass(frozen=True)
class Attempt:
    """One run of the tap, and what befalls it.

    Attributes:
        concurrency: The setting.
        pace: Seconds the server's clock moves with each request.
        changes: At which requests the workspace changes, and seeds of how.
        troubles: The faults it meets.
        ending: Whether it is left in peace, killed, or asked to end.
        after: Whether ``at`` counts requests or lines of output.
        at: When it ends, unless it has come to its end before.
        flushed: Which share of the output the target had stored when it last passed on a STATE.
        strays: A seed: which rows after that it had stored as well.
        narrow: Whether the settings leave out, this time, what is archived or has churned.
    """

    concurrency: int = 1
    pace: float = 0.0
    changes: tuple[tuple[int, int], ...] = ()
    troubles: tuple[Trouble, ...] = ()
    ending: Ending = "peace"
    after: Literal["requests", "lines"] = "lines"
    at: int = 0
    flushed: float = 1.0
    strays: int = 0
    narrow: bool = False


NARROW = {"include_archived": False, "account_status": "active"}


class Hunt:
    """One workspace, one target, and the runs between them."""

    runs = 0
    """How many runs all hunts together have made."""

    def __init__(  # noqa: PLR0913 - they are all optional, and named
        self,
        *,
        seed: int = 1,
        clock_off: float = 0.0,
        streams: tuple[str, ...] = STREAMS,
        page_size: int = 3,
        lookback: int = 0,
        start_days: int | None = None,
        inventory: tuple[str, ...] = INVENTORIED,
    ) -> None:
        """Open a workspace.

        Args:
            seed: Its contents.
            clock_off: Seconds by which this machine's clock is behind the server's.
            streams: What is read.
            page_size: The setting.
            lookback: The setting.
            start_days: How long ago the setting start_date is; None leaves it out.
            inventory: The resources whose ids are listed.
        """
        self._open = ExitStack()
        self.clock = Clock(datetime.now(UTC).replace(microsecond=0), offset=clock_off)
        self.world = World(seed, accounts=4, clock=self.clock, sizes=SIZES)
        self.sandbox: Sandbox = self._open.enter_context(serve(self.world))
        self._open.enter_context(waits_pass_in_no_time())
        self.streams = streams
        self.inventory = inventory
        self.config = config_for(
            self.sandbox.url,
            page_size=page_size,
            lookback_seconds=lookback,
            inventory_resources=list(inventory),
        )
        self.start: str | None = None
        if start_days is not None:
            self.start = (self.clock.now() - timedelta(days=start_days)).isoformat()
            self.config["start_date"] = self.start
        self.warehouse = Warehouse()
        self._moved: set[str] = set()
        for name in ("archive", "unarchive"):
            self._open.enter_context(
                mock.patch.object(self.world, name, self._noting_moves(getattr(self.world, name)))
            )

    def _noting_moves(self, move: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
        """Note which rows go from one list to another: between two requests they are in neither."""

        def noted(resource: str, key: str) -> Any:
            self._moved.add(key)
            return move(resource, key)

        return noted

    def close(self) -> None:
        """Close the workspace."""
        self._open.close()

    def live(self, seconds: float, seeds: tuple[int, ...] = ()) -> None:
        """Let time pass and things happen while no run is under way."""
        self.clock.advance(seconds)
        for seed in seeds:
            self.change(seed)

    def change(self, seed: int) -> None:
        """Change something, most likely something that is read."""
        random = Random(seed)
        world = self.world
        with world.lock:
            if random.random() < 0.2:
                world.random_change(random, deletes=True)
                return
            resource = random.choice(RESOURCES[random.choice(self.streams)])
            ids = world.ids(resource)
            if not ids or random.random() < 0.2:
                life.add(world, resource)
                return
            key = random.choice(ids)
            acts: list[Callable[[], object]] = [
                partial(life.edit, world, resource, key) for _ in range(3)
            ]
            if resource in life.ARCHIVABLE:
                archived = world.row(resource, key)["archivedAt"]
                acts += 2 * [
                    lambda: (world.unarchive if archived else world.archive)(resource, key)
                ]
            if resource in life.DELETABLE:
                acts.append(partial(world.delete, resource, key))
            if resource == "conversations":
                acts += 2 * [partial(world.add_message, key)]
            if resource == "notes" and world.ids("accounts"):
                owner = random.choice(world.ids("accounts"))
                move = partial(world.update, accountId=owner)
                acts.append(partial(self._noting_moves(move), "notes", key))
            random.choice(acts)()

    def run(self, attempt: Attempt) -> bool:
        """Run the tap once.

        Returns:
            Whether it said that it is complete.

        Raises:
            Loss: If it said so and is not, or broke in a way nobody foresaw.
        """
        Hunt.runs += 1
        before = self._truth()
        self._moved.clear()
        known = copy.deepcopy(self.warehouse.state or {})
        pipe = Pipe(attempt)
        self._set_scene(attempt, pipe)
        tap = TapVitally(
            config={
                **self.config,
                "concurrency": attempt.concurrency,
                **(NARROW if attempt.narrow else {}),
            },
            catalog=_catalog((*self.streams, *(BOOKKEEPING if self.inventory else ()))),
            state=copy.deepcopy(known),
            message_writer=pipe,
        )
        complete = False
        try:
            tap.sync_all()
            complete = True
        except Killed:
            pass
        except SystemExit:
            pipe.ended = True
            tap.state_writer.write_state(tap.state)
        except VitallyError:
            pass
        finally:
            tap.run.stop()
            self.sandbox.before_request = None
            self.sandbox.faults.clear()
        self._load(pipe.messages, attempt, complete=complete)
        self._nobody_left_behind()
        self._not_fooled()
        if complete and not attempt.narrow:
            excused = {n for n, tally in tap.run.tallies().items() if tally.skipped}
            if tap.run.workspace.signpost is None:
                excused |= set(self.streams)
            self._promise_kept(before, excused)
        return complete

    def finish(self) -> None:
        """Run the tap in peace, and hold its tables against the workspace.

        Raises:
            Loss: If they are not equal.
        """
        # The server's clock tells seconds: what was created in this one may be newer than the run.
        self.clock.advance(2)
        if not self.run(Attempt()):
            msg = "a run in peace did not come to its end"
            raise Loss(msg)
        self._all_there()

    # The scene

    def _set_scene(self, attempt: Attempt, pipe: Pipe) -> None:
        changes: dict[int, list[int]] = {}
        for number, seed in attempt.changes:
            changes.setdefault(number, []).append(seed)
        accounts = self.world.ids("accounts")
        for trouble in attempt.troubles:
            account = accounts[trouble.account % len(accounts)] if accounts else "none"
            path = trouble.path.replace("{account}", account)
            self.sandbox.faults.append(
                Fault(
                    trouble.kind,
                    path,
                    times=trouble.times,
                    after=trouble.after,
                    status=trouble.status,
                )
            )
        self.sandbox.requests.clear()

        def happen(entry: Entry) -> None:
            self.clock.advance(attempt.pace)
            for seed in changes.get(entry.number, ()):
                self.change(seed)
            if attempt.after == "requests" and entry.number >= attempt.at:
                pipe.doomed = True

        self.sandbox.before_request = happen

    def _truth(self) -> dict[str, dict[Any, Row]]:
        with self.world.lock:
            return {name: self.world.truth(name) for name in self.streams}

    # The target

    def _load(self, messages: list[Row], attempt: Attempt, *, complete: bool) -> None:
        """Take in what a target would that flushes late and dies with the tap."""
        flushed = len(messages) if complete else round(attempt.flushed * len(messages))
        self.warehouse.load(messages[:flushed])
        state = self.warehouse.state
        random = Random(attempt.strays)
        self.warehouse.load(
            message
            for message in messages[flushed:]
            if message["type"] == "SCHEMA"
            # The list of finished lists is what the query trusts, so it must not run ahead.
            or (message.get("stream") != "inventory_runs" and random.random() < 0.5)
        )
        self.warehouse.state = state

    # The checks

    def _promise_kept(self, before: dict[str, dict[Any, Row]], excused: set[str]) -> None:
        """See that a complete run brought all that was there when it started, or newer."""
        now = self._truth()
        for name in self.streams:
            if name in excused:
                continue
            table = self.warehouse.tables.get(name, {})
            for key, row in before[name].items():
                if key not in now[name] or self._too_old(row) or not self._moved.isdisjoint(key):
                    continue
                found = table.get(tuple(map(str, key)))
                if found is None:
                    msg = f"{name} {key} was there before the run, and the run did not bring it"
                    raise Loss(msg)
                if now[name][key] == row:
                    self._same(name, key, row, found)
                elif _version(found) < _version(row):
                    msg = f"{name} {key}: {_version(found)} in place of {_version(row)}"
                    raise Loss(msg)

    def _all_there(self) -> None:
        for name, truth in self._truth().items():
            table = self.warehouse.tables.get(name, {})
            for key, row in truth.items():
                if self._too_old(row):
                    continue
                if tuple(map(str, key)) not in table:
                    msg = f"{name} {key} is lost"
                    raise Loss(msg)
                self._same(name, key, row, table[tuple(map(str, key))])
            gone = table.keys() - {tuple(map(str, key)) for key in truth}
            if name in self.inventory and not self.start and gone != self._deleted(name):
                msg = f"{name}: deleted are {sorted(gone)}, not {sorted(self._deleted(name))}"
                raise Loss(msg)

    def _too_old(self, row: Row) -> bool:
        moment = _version(row)
        return bool(self.start and moment and moment < self.start)

    def _same(self, name: str, key: Any, row: Row, found: Row) -> None:
        wanted = plain(row)
        wrong = [part for part, value in wanted.items() if found.get(part) != value]
        if wrong:
            msg = f"{name} {key}: {', '.join(wrong)} not as in the workspace"
            raise Loss(msg)

    def _not_fooled(self) -> None:
        """See that nothing counts as deleted that is there."""
        for name in self.inventory:
            if name in self.streams:
                alive = {tuple(map(str, key)) for key in self.world.truth(name)}
                if fooled := alive & self._deleted(name):
                    msg = f"{name} {sorted(fooled)} count as deleted and are there"
                    raise Loss(msg)

    def _deleted(self, name: str) -> set[tuple[str, ...]]:
        """What the documented query says: `tests/whole/test_inventory.py` has it in SQL."""
        tables = self.warehouse.tables
        starts = [
            row["startedAt"]
            for row in tables.get("inventory_runs", {}).values()
            if row["resource"] == name
        ]
        if not starts:
            return set()
        seen = {
            (row["id"],)
            for row in tables.get("inventory", {}).values()
            if row["resource"] == name and row["seenAt"] >= max(starts)
        }
        return {
            key
            for key, row in tables.get(name, {}).items()
            if row["createdAt"] < max(starts) and key not in seen
        }

    def _nobody_left_behind(self) -> None:
        """See that all workers end: at once, or when the request they are in is answered."""
        workers = [t for t in threading.enumerate() if t.name.startswith("tap-vitally")]
        for worker in workers:
            worker.join(10)
            if worker.is_alive():
                msg = f"a thread is left: {worker.name}"
                raise Loss(msg)


class Pipe(Collector):
    """The tap's output, up to where its process ends.

    Attributes:
        doomed: Whether the end has come; the tap meets it at its next line.
        ended: Whether what comes now is a signal handler's.
    """

    def __init__(self, attempt: Attempt | None = None) -> None:
        super().__init__()
        self._attempt = attempt or Attempt()
        self.doomed = False
        self.ended = False

    def write_message(self, message: Message) -> None:
        attempt = self._attempt
        if attempt.after == "lines" and len(self.messages) >= attempt.at:
            self.doomed = True
        if self.doomed and not self.ended and attempt.ending != "peace":
            raise Killed if attempt.ending == "kill" else SystemExit(143)
        super().write_message(message)


@contextmanager
def waits_pass_in_no_time() -> Iterator[None]:
    """Let all that the tap waits for before it tries again pass at once.

    The tap's patience is measured on the same clock, so it lasts as long as ever, counted in tries.
    """
    passed = 0.0

    def sleep(_: Budget, seconds: float) -> None:
        nonlocal passed
        passed += seconds

    with (
        mock.patch.object(Budget, "sleep", sleep),
        mock.patch.object(Budget, "pause", sleep),
        mock.patch.object(retrying, "time", mock.Mock(monotonic=lambda: passed)),
    ):
        yield


def read(
    config: Row,
    *,
    select: Iterable[str],
    state: Row | None = None,
    collector: Collector | None = None,
) -> list[Row]:
    """Do what `harness.support.run_in_process` does, in half the time."""
    collector = collector or Collector()
    tap = TapVitally(
        config=config,
        catalog=_catalog(tuple(select)),
        state=copy.deepcopy(state or {}),
        message_writer=collector,
    )
    try:
        tap.sync_all()
    finally:
        tap.run.stop()
    return collector.messages


def _version(row: Row) -> str:
    return str(row.get("conversationUpdatedAt") or row.get("updatedAt") or "")


def _catalog(streams: tuple[str, ...]) -> Row:
    return copy.deepcopy(_made_catalog(streams))


@cache
def _made_catalog(streams: tuple[str, ...]) -> Row:
    """A catalog of these streams alone, which the SDK takes in sooner than a whole one."""
    whole = catalog(streams)
    return {"streams": [entry for entry in whole["streams"] if entry["stream"] in streams]}


# The histories that are tried

PASSING: tuple[Kind, ...] = (
    "broken_gzip",
    "cursor_refused",
    "duplicate_rows",
    "empty_page_with_next",
    "error_200",
    "html_200",
    "no_date",
    "out_of_order",
    "repeat_cursor",
    "reset_before",
    "reset_mid_body",
    "status",
    "truncated_chunked",
    "truncated_with_length",
    "wrong_content_type",
)
LASTING: tuple[Kind, ...] = ("cursor_refused", "html_200", "out_of_order", "reset_before", "status")
PATHS = (
    "*",
    "accounts",
    "accounts/*",
    "accounts/{account}/*",
    "conversations",
    "conversations/*",
    "customObjects",
    "customObjects/*",
    "meetingTranscripts",
    "meetingTranscripts/*",
    "notes",
    "notes?archived=true",
    "npsResponses?target=organization",
    "organizations/*",
    "users",
)
SEEDS = st.integers(0, 9999)

passing = st.builds(
    Trouble,
    kind=st.sampled_from(PASSING),
    path=st.sampled_from(PATHS),
    times=st.integers(1, 6),
    after=st.integers(0, 20),
    status=st.sampled_from((429, 500, 502, 503, 504)),
    account=st.integers(0, 7),
)
lasting = st.builds(
    Trouble,
    kind=st.sampled_from(LASTING),
    path=st.sampled_from(PATHS),
    times=st.none(),
    after=st.integers(0, 20),
    # 404 is left out: it says that a parent is gone, and is believed.
    status=st.sampled_from((403, 500, 503)),
    account=st.integers(0, 7),
)
# Most runs are to be broken off, and soon after their start: there is not much to read.
ENDINGS: tuple[Ending, ...] = ("peace", "term", "kill", "term", "kill")
seeds = st.lists(SEEDS, max_size=8).map(tuple)
attempts = st.builds(
    Attempt,
    concurrency=st.sampled_from((1, 1, 2, 8)),
    pace=st.sampled_from((0.4, 0.0, 0.001, 1.0, 30.0)),
    changes=st.lists(st.tuples(st.integers(1, 30), SEEDS), max_size=6).map(tuple),
    troubles=st.just(()) | st.lists(passing | lasting, max_size=2).map(tuple),
    ending=st.sampled_from(ENDINGS),
    after=st.sampled_from(("lines", "requests")),
    at=st.integers(1, 12) | st.integers(1, 40),
    flushed=st.sampled_from((1.0, 1.0, 1.0, 0.9, 0.6, 0.3, 0.0)),
    strays=SEEDS,
    narrow=st.sampled_from((False, False, False, True)),
)


class LossHunt(RuleBasedStateMachine):
    """Tries histories, and makes those that lose something as short as they can be."""

    hunt: Hunt | None = None
    lost = False

    @initialize(
        seed=st.integers(0, 5),
        clock_off=st.sampled_from((0.0, -600.0, 600.0)),
        streams=st.lists(st.sampled_from(STREAMS), min_size=1, max_size=3, unique=True),
        page_size=st.integers(1, 7),
        lookback=st.sampled_from((0, 0, 1, 60, 300)),
        start_days=st.none() | st.none() | st.just(300),
        inventory=st.sampled_from(((), (), INVENTORIED)),
    )
    def open(self, streams: list[str], **how: Any) -> None:
        self.hunt = Hunt(streams=tuple(name for name in STREAMS if name in streams), **how)

    @rule(seconds=st.sampled_from((5.0, 0.0, 0.5, 3600.0)), seeds=seeds, attempt=attempts)
    def live_and_run(self, seconds: float, seeds: tuple[int, ...], attempt: Attempt) -> None:
        assert self.hunt
        try:
            self.hunt.live(seconds, seeds)
            self.hunt.run(attempt)
        except BaseException:
            self.lost = True
            raise

    def teardown(self) -> None:
        if self.hunt:
            try:
                if not self.lost:
                    self.hunt.finish()
            finally:
                self.hunt.close()
