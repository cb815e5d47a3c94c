"""Looks for lost rows: a workspace that changes, a tap that is killed, a target that is slow.

A history is played: the workspace changes, runs of the tap meet faults and ends of all kinds, and
the workspace goes on changing in the middle of them. After every run that says it is complete, and
after a last run in peace, the target's tables are held against the workspace itself.

`tests/whole/test_hunt.py` does so for some seconds, `python -m soak` for as long as it is asked to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Any
from unittest import mock

from harness.checker import Checker, Loss
from harness.declared import DECLARED, declarations
from harness.run_attempts import Attempt, Killed, Pipe
from harness.support import Row, Warehouse, catalog_of, config_for, waits_pass_in_no_time
from sandbox import Clock, Entry, Fault, Sandbox, World, scenarios, serve
from sandbox.faults import Kind
from tap_vitally.tap import TapVitally
from vitally_api import VitallyError

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
    "account_conversations",
    "account_notes",
    "account_nps_responses",
    "account_meetings",
    "organization_accounts",
    "organization_tasks",
    "organization_projects",
)
"""One of each kind: plain lists, variants, two targets, whole tables, children, details."""
ALL_STREAMS = (*STREAMS, *DECLARED)
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
    "account_conversations": ("conversations", "conversations", "accounts"),
    "account_notes": ("notes", "notes", "accounts"),
    "account_nps_responses": ("npsResponses", "npsResponses", "users"),
    "account_meetings": ("meetings", "meetings", "accounts"),
    "organization_accounts": ("accounts", "accounts", "organizations"),
    "organization_tasks": ("tasks", "tasks", "organizations"),
    "organization_projects": ("projects", "projects", "accounts"),
}
"""What has to change for a stream to change."""
RESOURCES |= {name: (each.resource,) for name, each in DECLARED.items()}
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
NARROW = {"include_archived": False, "account_status": "active"}

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
    "changeEvents",
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
    "tasks/*",
    "usage/*",
    "users",
)


class Fuzzer:
    """One workspace, one target, and the runs between them."""

    runs = 0
    """Runs that all fuzzers together have made."""

    def __init__(  # noqa: PLR0913 - they are all optional, and named
        self,
        *,
        seed: int = 1,
        clock_off: float = 0.0,
        streams: tuple[str, ...] = STREAMS,
        page_size: int = 3,
        lookback: int = 0,
        start_days: int | None = None,
        full_walk_days: int = 7,
        inventory: tuple[str, ...] = INVENTORIED,
        sizes: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """Open a workspace, in front of whose clock this machine's is ``clock_off`` seconds late.

        ``start_days`` is how long ago the setting start_date is, or None to leave it out.
        """
        self._open = ExitStack()
        self.clock = Clock(datetime.now(UTC).replace(microsecond=0), offset=clock_off)
        self.world = World(seed, accounts=4, clock=self.clock, sizes={**SIZES, **sizes})
        self.sandbox: Sandbox = self._open.enter_context(serve(self.world))
        self._open.enter_context(waits_pass_in_no_time())
        self.streams = streams
        self.inventory = inventory
        self._days = full_walk_days
        self.config = config_for(
            self.sandbox.url,
            page_size=page_size,
            lookback_seconds=lookback,
            full_walk_days=full_walk_days,
            inventory_resources=list(inventory),
        )
        self.start: str | None = None
        self.declared = declarations(streams)
        if self.declared:
            self.config["custom_streams"] = self.declared
        if start_days is not None:
            self.start = (self.clock.now() - timedelta(days=start_days)).isoformat()
            self.config["start_date"] = self.start
        self._check_tables = Checker(self.world, Warehouse(), streams, inventory, self.start)
        for name in ("archive", "unarchive"):
            self._open.enter_context(
                mock.patch.object(self.world, name, self._noting_moves(getattr(self.world, name)))
            )

    def _noting_moves(self, move: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
        """Note which rows go from one list to another: between two requests they are in neither."""

        def noted(resource: str, key: str) -> Any:
            self._check_tables.moved.add(key)
            return move(resource, key)

        return noted

    @property
    def warehouse(self) -> Warehouse:
        """The target, which another may take the place of."""
        return self._check_tables.warehouse

    @warehouse.setter
    def warehouse(self, other: Warehouse) -> None:
        self._check_tables.warehouse = other

    def close(self) -> None:
        """Close the workspace."""
        self._open.close()

    def live(self, seconds: float, seeds: tuple[int, ...] = ()) -> None:
        """Advance the clock and change the workspace between two runs."""
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
                scenarios.add(world, resource)
                return
            key = random.choice(ids)
            acts: list[Callable[[], object]] = [
                partial(scenarios.edit, world, resource, key) for _ in range(3)
            ]
            if resource in scenarios.ARCHIVABLE:
                archived = world.row(resource, key)["archivedAt"]
                acts += 2 * [
                    lambda: (world.unarchive if archived else world.archive)(resource, key)
                ]
            if resource in scenarios.DELETABLE:
                acts.append(partial(world.delete, resource, key))
            if resource == "conversations":
                acts += 2 * [partial(world.add_message, key)]
            if resource == "notes" and world.ids("accounts"):
                owner = random.choice(world.ids("accounts"))
                move = partial(world.update, accountId=owner)
                acts.append(partial(self._noting_moves(move), "notes", key))
            random.choice(acts)()

    def run(self, attempt: Attempt) -> bool:
        """Run the tap once; tell whether it said that it is complete.

        If it said so and is not, or broke in a way nobody foresaw, that is a `Loss`.
        """
        Fuzzer.runs += 1
        before = self._check_tables.expected_rows()
        self._check_tables.moved.clear()
        known = copy.deepcopy(self.warehouse.state or {})
        pipe = Pipe(attempt)
        self._set_scene(attempt, pipe)
        tap = TapVitally(
            config={
                **self.config,
                "concurrency": attempt.concurrency,
                **(NARROW if attempt.narrow else {}),
            },
            catalog=catalog_of(
                (*self.streams, *(BOOKKEEPING if self.inventory else ())), self.declared
            ),
            state=copy.deepcopy(known),
            message_writer=pipe.collector,
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
        self._check_tables.nobody_left_behind()
        self._check_tables.not_fooled()
        if complete and not attempt.narrow:
            excused = {n for n, metrics in tap.run.metrics_by_stream().items() if metrics.skipped}
            if tap.run.workspace.signpost is None:
                excused |= set(self.streams)
            self._check_tables.promise_kept(before, excused)
        return complete

    def finish(self) -> None:
        """Run the tap in peace, and hold its tables against the workspace."""
        # The server's clock tells seconds: what was created in this one may be newer than the run.
        self.clock.advance(2)
        if not self.run(Attempt()):
            msg = "a run in peace did not come to its end"
            raise Loss(msg)
        self._check_tables.all_there()
        if self._days:
            self.clock.advance(self._days * 86400)
            self._check_tables.walks_all = True
            self.run(Attempt())
            self._check_tables.all_there()

    # The scene

    def _set_scene(self, attempt: Attempt, pipe: Pipe) -> None:
        changes: dict[int, list[int]] = {}
        for number, seed in attempt.changes:
            changes.setdefault(number, []).append(seed)
        accounts = self.world.ids("accounts")
        for planned_fault in attempt.planned_faults:
            account = accounts[planned_fault.account % len(accounts)] if accounts else "none"
            path = planned_fault.path.replace("{account}", account)
            self.sandbox.faults.append(
                Fault(
                    planned_fault.kind,
                    path,
                    times=planned_fault.times,
                    after=planned_fault.after,
                    status=planned_fault.status,
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

    # The target

    def _load(self, messages: list[Row], attempt: Attempt, *, complete: bool) -> None:
        """Load what a target would that flushes late and dies with the tap."""
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
