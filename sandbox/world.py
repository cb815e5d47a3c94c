"""Made-up data of a workspace: it changes on demand, and knows the rows that a tap should deliver."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from sandbox.clock import Clock
from sandbox.expected_rows import ExpectedRows, expected_rows
from sandbox.scenarios import live_a_day, random_change
from sandbox.workspace import Workspace


class World(Workspace):
    """A workspace that lives, and knows what a tap should deliver.

    Worlds with the same seed, sizes and clock are equal, row by row. All methods may be called from
    any thread.
    """

    def __init__(
        self,
        seed: int = 1,
        accounts: int = 50,
        clock: Clock | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """Make a world in proportion to its accounts; for ``sizes`` see `sizes_for`."""
        super().__init__(seed, accounts, clock or Clock(), sizes)
        self._days = Random(f"{seed}:days")

    @classmethod
    def empty(cls, seed: int = 1, clock: Clock | None = None) -> World:
        """Make a world without customers: it has what only the app edits, such as its team."""
        return cls(seed, 0, clock, {"customObjects": 0, "surveys": 0})

    def expected_rows(self, stream: str) -> ExpectedRows:
        """Return exactly the rows that a tap should deliver for a stream, by primary key."""
        with self.lock:
            return expected_rows(self.rows, stream)

    def live_a_day(self, deletes: int = 0, *, scores: bool = False) -> dict[str, int]:
        """Make a day's changes of all kinds; return how often each happened.

        The clock stays where it is; ``deletes`` is how many rows are deleted for good as well.
        ``scores`` has all health scores recomputed, too, which no ``updatedAt`` tells.
        """
        with self.lock:
            happened = live_a_day(self, self._days, deletes)
            return happened | ({"scores moved": self.move_scores()} if scores else {})

    def move_scores(self) -> int:
        """Recompute all health scores, as happens by night; return how many there are."""
        with self.lock:
            for resource in ("accounts", "organizations"):
                for key in self.tables[resource].ids:
                    self.set_health(key, round(self._days.uniform(0, 10), 1), resource)
            return sum(len(self.tables[each]) for each in ("accounts", "organizations"))

    def random_change(self, random: Random, *, deletes: bool = False) -> str:
        """Make one change of any kind, perhaps a deletion for good, and say which."""
        with self.lock:
            return random_change(self, random, deletes=deletes)
