"""``plan_file``: the changes of a run as a page, as CSV or as JSON lines, by its ending.

It holds customers' data, so it is written only where it is asked for, and only its owner may read it.
"""

from __future__ import annotations

import csv
import errno
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from target_vitally.mapping.planned_change import PlannedChange
from target_vitally.pipeline.plan_page import Facts, pieces_of_page
from target_vitally.pipeline.planned_changes import Part
from vitally_api import as_text, encoded
from vitally_api.values import InvalidValue, number_of

COLUMNS = ("action", "stream", "name", "key", "property", "old", "new", "refused")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""


def _page(parts: list[Part], facts: Facts) -> Iterator[str]:
    return pieces_of_page(parts, facts)


def _json_lines(parts: list[Part], _: Facts) -> Iterator[str]:
    for part in parts:
        head = {"action": part.action, "stream": part.stream}
        refused = {"refused": part.refused} if part.refused else {}
        for change in part.changes():
            values = {name: {"old": old, "new": new} for name, (old, new) in change.values.items()}
            line = {**head, "name": change.name, "key": change.key, "values": values, **refused}
            yield f"{encoded(line).decode()}\n"
        if part.rest:
            yield f"{encoded({**head, 'more': part.rest, **refused}).decode()}\n"


def _csv(parts: list[Part], _: Facts) -> Iterator[str]:
    line = _Line()
    writer = csv.writer(line)
    for row in _rows(parts):
        writer.writerow(map(_inert, row))
        yield line.text


class _Line:
    """Takes one line of CSV."""

    text = ""

    def write(self, text: str) -> int:
        self.text = text
        return len(text)


def _rows(parts: Iterable[Part]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each property of each change, and one for those that are only counted."""
    yield COLUMNS
    for part in parts:
        for change in part.changes():
            yield from _rows_of(change)
        if part.rest:
            more = f"and {part.rest:,} more records"
            yield (part.action, part.stream, more, "", "", "", "", part.refused)


def _rows_of(change: PlannedChange) -> Iterator[tuple[str, ...]]:
    head = change.action, change.stream, change.name, change.key
    for name, (old, new) in change.values.items() or [("", (None, None))]:
        yield (*head, name, _text(old), _text(new), change.refused)


def _text(value: Any) -> str:
    return "" if value is None else as_text(value)


def _inert(cell: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula; numbers stay."""
    if not cell.startswith(FORMULA):
        return cell
    try:
        number_of(cell)
    except InvalidValue:
        return f"'{cell}"
    return cell


FORMATS: Mapping[str, Callable[[list[Part], Facts], Iterator[str]]] = {
    ".html": _page,
    ".csv": _csv,
    ".jsonl": _json_lines,
}
"""By the ending of the file's name."""


def is_plan_file(path: str) -> bool:
    """Return whether a file's name says how the plan is to be written."""
    return not path or Path(path).suffix.lower() in FORMATS


def remove_old(path: str) -> None:
    """Remove the plan of a run before, so that it is not taken for that of this one.

    Raise `OSError` where no file could be written.
    """
    if path:
        Path(path).unlink(missing_ok=True)
        with _beside(path) as file:
            name = file.name
        Path(name).unlink()


def write_plan_file(path: str, parts: list[Part], facts: Facts) -> None:
    """Write the file whole, or not at all; raise `OSError` where there is no room for it."""
    file = _beside(path)
    try:
        with file:
            file.writelines(FORMATS[Path(path).suffix.lower()](parts, facts))
        Path(file.name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(file.name).unlink()
        raise


def _beside(path: str) -> IO[str]:
    """Open a temporary file in the folder of another, which only its owner may read."""
    whole = Path(path).absolute()
    if not whole.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return tempfile.NamedTemporaryFile(
        "w",
        encoding="utf-8",
        errors="backslashreplace",
        newline="",
        dir=whole.parent,
        prefix=f".{whole.name}-",
        delete=False,
    )
