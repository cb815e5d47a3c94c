"""Looks for lost rows for as long as it is asked to: ``python -m soak --runs 10000 --seed 1``.

It reads with the tap and writes with the target, unless ``--side`` names one of the two. It stops at
the first loss, with the shortest history found that leads to it, and exit code 1. The tests hunt as
well, with what hypothesis thinks of; this is blunter, and for the long haul.
"""

from __future__ import annotations

import argparse
import logging
import re
import sys
import time
import traceback
from random import Random
from typing import Any, Protocol

from harness.fuzzer import Fuzzer
from harness.write_fuzzer import WriteFuzzer
from soak import reading, writing

AGAIN = 3
"""How often a shorter history is tried: threads do not always meet in the same way."""
PATIENCE = 300.0
"""Seconds spent on making a history shorter."""
TELL = 10.0
"""Seconds between two lines about how far it has come."""


class Side(Protocol):
    """One side, tap or target: how histories are drawn, played and made shorter."""

    def invented(self, random: Random, /) -> Any:
        """Think of a history."""

    def loss_in(self, history: Any, /) -> Exception | None:
        """Play a history; return what went wrong, if anything."""

    def shorter(self, history: Any, /) -> Any:
        """Think of histories in which less happens."""


SIDES: dict[str, tuple[Side, type[Fuzzer | WriteFuzzer]]] = {
    "read": (reading, Fuzzer),
    "write": (writing, WriteFuzzer),
}


def shortest(side: Side, history: Any, loss: Exception) -> Any:
    """Make a history that ends in the same kind of loss as short as it can be in the time there is."""
    ends = time.monotonic() + PATIENCE
    kind = kind_of(loss)
    found = True
    while found and time.monotonic() < ends:
        found = False
        for less in side.shorter(history):
            if any(kind_of(side.loss_in(less)) == kind for _ in range(AGAIN)):
                history, found = less, True
                break
    return history


def kind_of(loss: Exception | None) -> tuple[type, str]:
    """Return what two losses of one kind have in common: not the records, ids and moments in them.

    A shorter history may well lose something else, such as a row whose parent was left out.
    """
    text = re.sub(r"\(.*?\)|\{.*|'[^']*'|[\d-]+", "", str(loss))
    return type(loss), " ".join(text.split())


def nothing_lost(name: str, runs: int, seed: int) -> bool:
    """Play histories of one side; return True if nothing was lost."""
    side, counter = SIDES[name]
    began = reported_at = time.monotonic()
    number = seed
    while counter.runs < runs:
        history = side.invented(Random(number))
        loss = side.loss_in(history)
        if loss:
            made = counter.runs
            traceback.print_exception(loss)
            least = shortest(side, history, loss)
            print(f"\nLost with --side {name} --seed {number}, in run {made:,}:\n\n{least}")
            print(f"\n{side.loss_in(least) or 'which does not lose it every time'}")
            return False
        number += 1
        if time.monotonic() - reported_at > TELL or counter.runs >= runs:
            reported_at = time.monotonic()
            minutes = (reported_at - began) / 60
            print(
                f"{name}: up to seed {number}, {counter.runs:,} runs in {minutes:.1f} min",
                flush=True,
            )
    return True


def main() -> int:
    """Play histories; return the exit code, 0 if nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000, help="runs to make on each side")
    parser.add_argument("--seed", type=int, default=1, help="where to start")
    parser.add_argument("--side", choices=list(SIDES), help="read or write; both if not given")
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    for name in [args.side] if args.side else SIDES:
        if not nothing_lost(name, args.runs, args.seed):
            return 1
    print("Nothing was lost.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
