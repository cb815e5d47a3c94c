"""Tables of text for people, as both programs log them."""

from __future__ import annotations

from collections.abc import Collection, Sequence


def drawn(rows: Sequence[Sequence[str]], right: Collection[int]) -> list[str]:
    """Return the lines of a table; ``right`` are the indexes of the columns that are aligned to the right."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
