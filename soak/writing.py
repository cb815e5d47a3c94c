"""Histories of tables that are written, and shorter ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from harness.tables import KEYLESS, REFERRED, STREAMS, Row, Team, a_table, parents
from harness.target import schema
from harness.write_fuzzer import Attempt, EndsBy, Spoiled, WriteFuzzer, copied
from sandbox import World

LOST = (
    Spoiled("reset_before"),
    Spoiled("reset_mid_body"),
    Spoiled("truncated_with_length"),
    Spoiled("truncated_chunked"),
    Spoiled("broken_gzip"),
    Spoiled("html_200"),
    Spoiled("status", status=200, body=""),
    Spoiled("status", status=500),
    Spoiled("status", status=502),
    Spoiled("status", status=503),
    Spoiled("status", status=504),
)
"""What leaves open whether a write was carried out."""
REFUSED = (
    Spoiled("status", status=429),
    Spoiled("status", status=401),
    Spoiled("status", status=403),
)
"""What says that it was not."""
DENIED = (
    Spoiled("status", status=400),
    Spoiled("status", status=409),
    Spoiled("status", status=422),
    Spoiled("error_200"),
)
"""... and that the row is at fault, which only a write can say."""
SWITCHES: dict[str, tuple[Any, ...]] = {
    "on_known": ("update", "409", "400", "duplicate"),
    "links": ("replace", "add"),
    "extra": ("ignore", "refuse"),
    "project_parent": ("either", "accountId", "customerId"),
    "errors_as_200": (False, True),
    "all_errors": (True, False),
    "strip_html": (True, False),
    "absent_tags": ("drop", "keep"),
    "users_deleted": ("now", "later"),
    "deleted_status": (204, 200),
    "bare_external_ids": (False, True),
    "on_archived": ("update", "revive", "new", "400", "409"),
    "touched_after": (None, 0.0),
    "unknown_traits": ("store", "drop", "refuse"),
    "archived_instances": ("found", "hidden"),
    "email_case": ("counts", "ignored"),
    "analytics_delay": (0.0, 5.0, 60.0),
    "analytics_order": ("kept", "shuffled"),
    "analytics_drops": (0.0, 0.1, 0.5),
    "analytics_repeated": ("drop", "apply"),
    "analytics_nulls": ("clear", "keep"),
    "analytics_stamp": ("applied", "accepted"),
    "analytics_unknown_parents": ("create", "ignore"),
    "analytics_blocked": ((), (), ("account",), ("user",)),
}
UPSERTS = ("organizations", "npsResponses")
"""Resources whose second POST is known to be an update."""


@dataclass(frozen=True)
class Night:
    """An input, and the runs that it takes."""

    said: tuple[Row, ...]
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True)
class History:
    """A workspace, and the nights in which tables are written into it."""

    setup: dict[str, Any]
    nights: tuple[Night, ...]
    repeated: bool = field(default=False)

    def __str__(self) -> str:
        """Write it as the body of a test."""
        lines = [f"fuzzer = WriteFuzzer(**{self.setup})"]
        for night in self.nights:
            lines += [f"fuzzer.night({night.said},", f"    {night.attempts})"]
        return "\n".join([*lines, "fuzzer.again(...)"] if self.repeated else lines)


@dataclass(frozen=True)
class Copied:
    """A workspace that is copied into another one, and what happens to the runs."""

    setup: dict[str, Any]
    seed: int
    accounts: int
    attempts: tuple[Attempt, ...]

    def __str__(self) -> str:
        """Write it as the body of a test."""
        return (
            f"WriteHunt(**{self.setup}).copy(copied({self.seed}, {self.accounts}), {self.attempts})"
        )


def a_copy(random: Random) -> Copied:
    """Think of a copy."""
    settings = {
        "batch_size_rows": random.choice((1, 3, 1000)),
        "concurrency": random.choice((1, 2, 8)),
        "request_timeout": 5,
    }
    setup = {"seed": 1, "switches": _switches(random), "settings": settings}
    drawn = attempts(random, planned=False)
    return Copied(setup, 1, random.choice((2, 4)), drawn)


def _switches(random: Random) -> Row:
    drawn = {n: random.choice(v) for n, v in SWITCHES.items() if random.random() < 0.4}
    if drawn.get("on_known") == "duplicate":
        drawn["on_known_of"] = dict.fromkeys(UPSERTS, "update")
    return drawn


def invented(random: Random) -> History | Copied:
    """Think of a history."""
    if random.random() < 0.05:
        return a_copy(random)
    seed = random.randrange(3)
    team = Team.of(World.empty(seed))
    deletes = random.random() < 0.6
    size = random.choice((1, 2, 3, 1000, 1000))
    settings: Row = {
        "batch_size_rows": size,
        "concurrency": random.choice((1, 2, 8)),
        "streams": dict(STREAMS),
        "deletes": "delete" if deletes else "ignore",
        "max_deletes": random.choice((100, 100, 100, 0)),
        "nulls": random.choice(("omit", "omit", "clear")),
        # What is lost may come for ten seconds, in place of 65.
        "request_timeout": 5,
    }
    if random.random() < 0.1:
        settings["only_changed"] = False
    if random.random() < 0.5:
        settings["channel"] = random.choice(("bulk", "auto", "auto"))
        settings["bulk_from"] = random.choice((0, 1, 2))
    if random.random() < 0.3:
        # What is created and updated waits for the end of the input, and is counted; no cap is reached.
        settings |= {"max_creates": 1_000_000, "max_updates": 1_000_000}
    switches = _switches(random)
    limit = random.choice((20, 40)) if random.random() < 0.02 else None
    if limit:
        switches["cost"] = random.choice((1, 2, 5))
        settings.pop("channel", None)  # what it waits for would take its time, too
    nights = [Night(tuple(_first(random, team)))]
    # A plan cannot know whether links are only added to.
    planned = switches.get("links") != "add"
    nights += [
        Night(tuple(_input(random, team, deletes=deletes)), attempts(random, planned=planned))
        for _ in range(random.choice((1, 1, 2)))
    ]
    setup = {"seed": seed, "switches": switches, "settings": settings, "limit": limit}
    last = {message.get("stream") for message in nights[-1].said}
    # What speaks of one record in two ways may say two things, and be written in turn.
    twofold = last & ({*STREAMS, KEYLESS} - {"keyed-projects"}) or switches.get("links") == "add"
    repeatable = size == 1000 and "only_changed" not in settings and not twofold
    return History(setup, tuple(nights), repeatable)


def _first(random: Random, team: Team) -> Iterator[Row]:
    """Think of what was there before; what is referred to comes now or last."""
    for stream in random.sample(REFERRED, len(REFERRED)):
        yield from _table(stream, parents(random, team, stream))
    for _ in range(random.randrange(4)):
        yield from _table(*a_table(random, team, deletes=False))


def _input(random: Random, team: Team, *, deletes: bool) -> Iterator[Row]:
    """Think of an input, with a STATE now and then that says how far it has come."""
    said: list[Row] = []
    tables = [a_table(random, team, deletes=deletes) for _ in range(random.choice((1, 2, 4, 8)))]
    for stream, rows in tables:
        for message in _table(stream, rows):
            said.append(message)
            if random.random() < 0.15:
                said.append({"type": "STATE", "value": len(said) + 1})
    yield from [*said, {"type": "STATE", "value": len(said) + 1}]


def _table(stream: str, rows: list[Row]) -> Iterator[Row]:
    yield schema(stream, rows)
    for row in rows:
        yield {"type": "RECORD", "stream": stream, "record": row}


def attempts(random: Random, *, planned: bool) -> tuple[Attempt, ...]:
    """Draw what happens to the runs over an input, perhaps with a plan before the last."""
    found = []
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        spoiled = tuple(_spoiled(random) for _ in range(random.choice((0, 1, 1, 2, 4))))
        endings: tuple[EndsBy, ...] = ("peace", "peace", "kill", "term")
        ends_by = random.choice(endings)
        at = random.randrange(1, random.choice((4, 15, 60)))
        process = random.random() < 0.02
        found.append(Attempt(spoiled, ends_by, at, process))
    if random.random() < 0.2 and planned:
        found.append(Attempt(dry=True))
    return tuple(found)


def _spoiled(random: Random) -> Spoiled:
    """Think of a fault; what is looked up is never said not to be there."""
    denied = random.random() < 0.15
    done = random.random() < 0.5 and not denied
    chosen = random.choice(DENIED if denied else random.choice((LOST, LOST, LOST, REFUSED)))
    if chosen.status == 200 and chosen.kind == "status":
        done = random.random() < 0.5
        method = random.choice(("POST", "PUT", "DELETE")) if done else "GET"
        return replace(chosen, method=method, after=random.randrange(20), done=done)
    refused = chosen in REFUSED
    written = denied or (done and not refused)
    method = random.choice(("POST", "PUT", "DELETE") if written else ("*", "GET", "POST", "PUT"))
    return replace(
        chosen,
        method=method,
        path=random.choice(("*", "*", "*", "/analytics/*")),
        times=random.choice((1, 1, 2, 4)),
        after=random.choice((0, 0, random.randrange(20))),
        done=done and not refused,
        late=chosen in LOST and not done and random.random() < 0.5,
    )


def _differs(history: Copied) -> Exception | None:
    """Copy twice, in peace and in trouble; the copies have to be one like the other."""
    said = copied(history.seed, history.accounts)
    copies = []
    for tried in ((), history.attempts):
        fuzzer = WriteFuzzer(**history.setup)
        try:
            copies.append(fuzzer.copy(said, tried))
        except Exception as loss:  # noqa: BLE001 - whatever it is, it is what was looked for
            return loss
        finally:
            fuzzer.close()
    (silence_logs, _), (troubled, unlinked) = copies
    wrong = (troubled - silence_logs) + (Counter() if unlinked else silence_logs - troubled)
    return AssertionError(f"one copy is not like the other: {wrong}") if wrong else None


def loss_in(history: History | Copied) -> Exception | None:
    """Play a history; return what went wrong, if anything."""
    if isinstance(history, Copied):
        return _differs(history)
    fuzzer = WriteFuzzer(**history.setup)
    try:
        for night in history.nights:
            fuzzer.night(night.said, night.attempts)
        if history.repeated:
            fuzzer.again(history.nights[-1].said)
    except Exception as loss:  # noqa: BLE001 - whatever it is, it is what was looked for
        return loss
    finally:
        fuzzer.close()
    return None


def shorter(history: History | Copied) -> Iterator[History | Copied]:
    """Think of histories in which less happens."""
    if isinstance(history, Copied):
        for i in range(len(history.attempts)):
            kept = history.attempts[:i] + history.attempts[i + 1 :]
            yield replace(history, attempts=kept)
        return
    for i, night in enumerate(history.nights):
        rest = history.nights[:i] + history.nights[i + 1 :]
        if len(rest) > 0:
            yield replace(history, nights=rest)
        for less in _shorter(night):
            yield replace(history, nights=(*history.nights[:i], less, *history.nights[i + 1 :]))
    for name in ("switches", "settings"):
        for key in history.setup[name]:
            fewer = {n: v for n, v in history.setup[name].items() if n != key}
            yield replace(history, setup={**history.setup, name: fewer})


def _shorter(night: Night) -> Iterator[Night]:
    said = night.said
    size = len(said)
    while size:
        for begin in range(0, len(said), size):
            gone = said[begin : begin + size]
            if any(message["type"] == "RECORD" for message in gone):
                yield replace(night, said=tuple(_renumbered(said, begin, size)))
        size //= 2
    for i, attempt in enumerate(night.attempts):
        others = night.attempts[:i], night.attempts[i + 1 :]
        yield replace(night, attempts=(*others[0], *others[1]))
        for j in range(len(attempt.spoiled)):
            fewer = attempt.spoiled[:j] + attempt.spoiled[j + 1 :]
            yield replace(night, attempts=(*others[0], replace(attempt, spoiled=fewer), *others[1]))


def _renumbered(said: tuple[Row, ...], begin: int, size: int) -> Iterator[Row]:
    """Leave out rows; a STATE says how many messages there are up to it."""
    number = 0
    for place, message in enumerate(said):
        if begin <= place < begin + size and message["type"] == "RECORD":
            continue
        number += 1
        yield {**message, "value": number} if message["type"] == "STATE" else message
