"""How many records a run may create, update or delete."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor
from typing import Any

NUMBER, SHARE = re.compile(r"\d{1,12}"), re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*%")


@dataclass(frozen=True)
class Cap:
    """A number of records, a share of those that Vitally holds, or both: then the smaller counts.

    ``text`` is how it was written.
    """

    text: str
    number: int | None = None
    percent: Decimal | None = None

    @classmethod
    def read(cls, value: Any) -> Cap:
        """Read a cap as it is written in a configuration; raise `ValueError` for anything else."""
        text = str(value).strip()
        number: int | None = None
        percent: Decimal | None = None
        for part in map(str.strip, text.split(",")):
            share = SHARE.fullmatch(part)
            if share and percent is None:
                percent = Decimal(share[1])
            elif NUMBER.fullmatch(part) and number is None:
                number = int(part)
            else:
                raise ValueError(text)
        return cls(text, number, percent)

    def excess(self, counts: Mapping[str, int], held: Callable[[str, int], int]) -> str | None:
        """Return None if so many records may be written, or else the cap in words.

        ``counts`` has how many of each resource. ``held`` returns how many records of a resource Vitally
        holds, and need not count beyond the number that it is given.
        """
        if self.number is not None and sum(counts.values()) > self.number:
            return self.text
        for resource, count in counts.items() if self.percent is not None else ():
            most, there = self._share(resource, count, held)
            if count > most:
                # Of nothing is nothing, however many there are.
                return f"{self.text} (here {most:,} of {there:,})" if self.percent else self.text
        return None

    def _share(self, resource: str, count: int, held: Callable[[str, int], int]) -> tuple[int, int]:
        """Return how many records of a resource may be written, and how many there are.

        One always may: otherwise nothing could be deleted in a workspace of nine accounts.
        """
        percent = self.percent or Decimal(0)
        if not percent or count <= 1:
            return min(count, 1) if percent else 0, 0
        there = held(resource, ceil(count * 100 / percent))
        return max(floor(there * percent / 100), 1), there
