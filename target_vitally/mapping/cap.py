"""Limits on how many records a run may create, update or delete."""

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
    """A limit: a number of records, a percentage of those in Vitally, or the smaller of both.

    ``text`` is the setting as it was written.
    """

    text: str
    number: int | None = None
    percent: Decimal | None = None

    @classmethod
    def read(cls, value: Any) -> Cap:
        """Parse a setting such as ``100``, ``5%`` or ``100, 5%``; raise `ValueError` for anything else."""
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
        """Return None if the limit allows that many records; else the limit, as text for a message.

        ``counts`` has the number of records by resource. ``held(resource, enough)`` returns how many
        records Vitally has, and may stop counting at ``enough``.
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
        """Return how many records of a resource may be written, and how many Vitally has.

        One is always allowed: 10% of nine accounts would otherwise be none.
        """
        percent = self.percent or Decimal(0)
        if not percent or count <= 1:
            return min(count, 1) if percent else 0, 0
        there = held(resource, ceil(count * 100 / percent))
        return max(floor(there * percent / 100), 1), there
