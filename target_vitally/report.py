"""How a run is shown to people: what became of the rows, and in a dry run the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from target_vitally.planning.plan import WORDS
from target_vitally.writing.outcomes import Counts
from vitally_api import printable

MOST_DIFFERING = 12
"""Properties that are named as differing, the most frequent first."""


def table(streams: Mapping[str, Counts], *, limit: int, dry_run: bool) -> str:
    """Draw the summary: a table of several lines, with reasons and differences below it."""
    words = [w for w in WORDS if w != "not reached" or any(c.words[w] for c in streams.values())]
    rows = [["stream", "rows", *words, "requests"]]
    for name, counts in streams.items():
        numbers = [counts.read, *(counts.words[word] for word in words), counts.requests]
        rows.append([printable(name), *(f"{number:,}" for number in numbers)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    for name, counts in streams.items():
        lines += [f"{name}: {reason} ({n:,})" for reason, n in counts.reasons.most_common()]
        if counts.differing:
            most = counts.differing.most_common(MOST_DIFFERING)
            told = ", ".join(f"{printable(prop)} ({n:,})" for prop, n in most)
            lines.append(f"{name}: properties that differ: {told}")
        if dry_run and limit:
            lines += [f"{name}: {shown}" for shown in counts.shown]
    return "\n".join(lines)


def values(streams: Mapping[str, Counts], totals: Mapping[str, float]) -> dict[str, Any]:
    """Give the summary as values, for machines that read the log."""
    return {
        "streams": {
            name: {"rows": counts.read, **{word: counts.words[word] for word in WORDS}}
            for name, counts in streams.items()
        },
        **totals,
    }
