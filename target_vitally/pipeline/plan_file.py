"""Write ``plan_file``: the changes of a run as HTML, CSV or JSON lines, by the file's extension.

It holds customers' data, so it is written only where it is asked for, and only its owner may read it.
"""

from __future__ import annotations

import base64
import csv
import errno
import hashlib
import html
import os
import re
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import IO, Any

from target_vitally.mapping.plan import OUTCOMES, Outcome
from target_vitally.mapping.planned_change import ACTIONS, UNLINKED, PlannedChange
from vitally_api import as_text, decoded_or_none, encoded, safe_name
from vitally_api.values import InvalidValue, number_of

COLUMNS = ("action", "stream", "name", "key", "property", "old", "new", "refused")
COUNTED = (*ACTIONS, "refused")
SCRIPT = re.compile("<script>(.*?)</script>", re.DOTALL)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula."""
IN_MEMORY = 1 << 20
"""Bytes of the changes of one part beyond which they are kept in a temporary file."""
MOST_LOGGED = 100
"""Changes of one part that the log names, however many the file has."""


def _spooled() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(IN_MEMORY, prefix="target-vitally-")


@dataclass
class Part:
    """The changes with one action in one stream; ``refused`` is the reason if none was carried out.

    ``count`` is their number; ``kept`` of them are in the temporary ``file`` as JSON lines. ``lines`` has
    keys and property names of some for the log, without values.
    """

    action: str
    stream: str
    refused: str
    count: int = 0
    kept: int = 0
    lines: list[str] = field(default_factory=list)
    file: IO[bytes] = field(default_factory=_spooled)

    @property
    def rest(self) -> int:
        """The number of changes that are not kept."""
        return self.count - self.kept

    def line(self, **said: Any) -> bytes:
        """Return a JSON line about changes of this part."""
        refused = {"refused": self.refused} if self.refused else {}
        return encoded({"action": self.action, "stream": self.stream, **said, **refused}) + b"\n"

    def keep(self, change: PlannedChange) -> None:
        """Add a change to the temporary file."""
        values = {name: {"old": old, "new": new} for name, (old, new) in change.values.items()}
        self.file.write(self.line(name=change.name, key=change.key, values=values))

    def changes(self) -> Iterator[dict[str, Any]]:
        """Yield the changes in the temporary file, each with name, key and values."""
        self.file.seek(0)
        yield from map(decoded_or_none, self.file)


class PlannedChanges:
    """Collects changes: ``limit`` of each part at most, with their values only if ``values``."""

    def __init__(self, limit: int, *, values: bool) -> None:
        self._limit = limit
        self._values = values
        self._lock = threading.Lock()
        self._parts: dict[tuple[str, str, str], Part] = {}
        self.requests = 0
        """The number of requests that all changes take."""

    def add(self, change: PlannedChange, displayed: str) -> None:
        """Add a change; ``displayed`` is a name of its record for the log, without personal data."""
        with self._lock:
            names = (change.action, change.stream, change.refused)
            part = self._parts.get(names) or self._parts.setdefault(names, Part(*names))
            part.count += 1
            self.requests += 0 if change.refused else change.requests
            if part.kept >= self._limit:
                return
            part.kept += 1
            if len(part.lines) < MOST_LOGGED:
                properties = ", ".join(map(logged_name, change.values))
                part.lines.append(f"{displayed}: {properties}" if properties else displayed)
            if self._values:
                part.keep(change)

    @property
    def parts(self) -> list[Part]:
        """All parts, in the order in which they are shown."""
        by_name = sorted(self._parts.values(), key=lambda part: (part.stream, part.refused))
        return sorted(by_name, key=lambda part: ACTIONS.index(part.action))

    def close(self) -> None:
        """Delete the temporary files."""
        for part in self._parts.values():
            part.file.close()


def logged_name(name: str) -> str:
    """Return the name of a property for the log."""
    rest = name.removeprefix(UNLINKED)
    return f"{name[: len(name) - len(rest)]}{safe_name(rest)}"


@dataclass(frozen=True)
class Facts:
    """The heading of a plan.

    ``host`` is the address of the API, ``outcomes`` the number of rows by outcome. ``requests`` are those
    that the plan takes, or that the run has sent; ``per_minute`` how many the API allows, None if that
    is unknown. ``limit`` is the setting ``plan_limit``.
    """

    dry_run: bool
    host: str
    outcomes: Mapping[Outcome, int]
    requests: int
    per_minute: int | None
    limit: int
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def lines(self) -> Iterator[str]:
        """Yield the heading, sentence by sentence."""
        when = self.at.strftime("%Y-%m-%d %H:%M UTC")
        if not self.dry_run:
            yield f"Written to {self.host}, {when}."
            yield f"It took {self.requests:,} requests, those to read among them."
        else:
            yield f"Planned for {self.host}, {when}. Nothing has been written."
            yield cost(self.requests, self.per_minute)
        rows = ", ".join(f"{self.outcomes[o]:,} {o}" for o in OUTCOMES if self.outcomes.get(o))
        if rows:
            yield f"Rows: {rows}. The log has the reasons of those that were rejected or ignored."


def cost(requests: int, per_minute: int | None) -> str:
    """Return a sentence with the number of requests and the time that a plan takes."""
    if not requests:
        return "To carry it out takes no request."
    said = f"To carry it out takes {requests:,} request{'s' if requests > 1 else ''}"
    if per_minute:
        said += f": {-(-requests // per_minute):,} min at {per_minute:,} a minute"
    return f"{said}."


def _write_json_lines(file: IO[str], parts: Sequence[Part], _: Facts) -> None:
    for part in parts:
        part.file.seek(0)
        file.writelines(line.decode() for line in part.file)
        if part.rest:
            file.write(part.line(more=part.rest).decode())


def _write_csv(file: IO[str], parts: Sequence[Part], _: Facts) -> None:
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for part in parts:
        writer.writerows(map(_inert, row) for row in _rows(part))


def _rows(part: Part) -> Iterator[tuple[str, ...]]:
    """Yield a CSV row for each property of each change, and one with the number of further records."""
    head = part.action, part.stream
    for change in part.changes():
        for name, value in change["values"].items() or [("", {"old": None, "new": None})]:
            said = change["name"], change["key"], name, _text(value["old"]), _text(value["new"])
            yield (*head, *said, part.refused)
    if part.rest:
        yield (*head, f"and {part.rest:,} more records", "", "", "", "", part.refused)


def _text(value: Any) -> str:
    return "" if value is None else as_text(value)


def _inert(cell: str) -> str:
    """Put an apostrophe before text that a spreadsheet would execute as a formula."""
    if not cell.startswith(FORMULA):
        return cell
    try:
        number_of(cell)
    except InvalidValue:
        return f"'{cell}"
    return cell


def _write_page(file: IO[str], parts: Sequence[Part], facts: Facts) -> None:
    file.writelines(_pieces_of_page(parts, facts))


def _pieces_of_page(parts: Sequence[Part], facts: Facts) -> Iterator[str]:
    """Yield the HTML page piece by piece, so that it is never in memory as a whole."""
    counts = _counts(parts)
    template = (files(__package__) / "plan.html").read_text(encoding="utf-8")
    (script,) = SCRIPT.findall(template)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head, tail = template.replace("$digest", digest).split("$parts")
    yield Template(head).substitute(
        title="What target-vitally would do" if facts.dry_run else "What target-vitally did",
        facts="".join(f"<p>{html.escape(line)}</p>" for line in facts.lines),
        counts=_table_of_counts(counts),
        streams="".join(f"<option>{html.escape(stream)}</option>" for stream in counts),
        actions="".join(
            f'<label><input type="checkbox" data-action="{action}" checked> {action}</label>'
            for action in dict.fromkeys(part.action for part in parts)
        ),
    )
    for part in parts:
        yield from _pieces_of_part(part, facts.limit)
    if not parts:
        yield "<p>Nothing changes.</p>"
    yield tail


def _counts(parts: Iterable[Part]) -> Mapping[str, Counter[str]]:
    """Return the number of records by stream and action; refused ones count as ``refused``."""
    found: dict[str, Counter[str]] = {}
    for part in parts:
        of_stream = found.setdefault(part.stream, Counter())
        of_stream["refused" if part.refused else part.action] += part.count
    return dict(sorted(found.items()))


def _table_of_counts(counts: Mapping[str, Counter[str]]) -> str:
    present = [name for name in COUNTED if any(of_stream[name] for of_stream in counts.values())]
    if not present:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("stream", *present))
    rows = "".join(
        f"<tr><th>{html.escape(stream)}</th>"
        f"{''.join(f'<td>{of_stream[name]:,}</td>' for name in present)}</tr>"
        for stream, of_stream in counts.items()
    )
    return f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"


def _pieces_of_part(part: Part, limit: int) -> Iterator[str]:
    stream = html.escape(part.stream)
    refused = (
        f'<p class="refused">Refused: {html.escape(part.refused)}.</p>' if part.refused else ""
    )
    records = "record" if part.count == 1 else "records"
    yield (
        f'<section class="{part.action}" data-action="{part.action}" data-stream="{stream}">'
        f"<h2>{part.action} {part.count:,} {records} of {stream}</h2>{refused}"
        "<table><thead><tr><th>record</th><th>property</th><th>old</th><th>new</th></tr></thead>"
    )
    for change in part.changes():
        yield _record(**change)
    more = f"<p>And {part.rest:,} more: plan_limit is {limit:,}.</p>" if part.rest else ""
    yield f"</table>{more}</section>\n"


def _record(name: str, key: str, values: Mapping[str, Any], **_: Any) -> str:
    """Return one record as a ``<tbody>`` with a row for each property."""
    below = f'<span class="key">{html.escape(key)}</span>' if name else ""
    called = html.escape(name or key or "without a key")
    first = f'<th scope="row" rowspan="{len(values) or 1}"><span>{called}</span>{below}</th>'
    rows = []
    for prop, value in values.items() or [("", {"old": None, "new": None})]:
        cells = (_cell(side, value[side]) for side in ("old", "new"))
        rows.append(f"<tr>{first}<td>{html.escape(prop)}</td>{''.join(cells)}</tr>")
        first = ""
    return f"<tbody>{''.join(rows)}</tbody>\n"


def _cell(name: str, value: Any) -> str:
    text = "" if value is None else html.escape(as_text(value))
    return f'<td class="{name}" data-label="{name}">{text}</td>'


FORMATS: Mapping[str, Callable[[IO[str], Sequence[Part], Facts], None]] = {
    ".html": _write_page,
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
}
"""The writers of each format, by the file's extension."""


def is_plan_file(path: str) -> bool:
    """Return True if a path is empty or has an extension that `FORMATS` knows."""
    return not path or Path(path).suffix.lower() in FORMATS


def remove_old(path: str) -> None:
    """Remove the plan of an earlier run, so that it is not mistaken for the plan of this one.

    Raise `OSError` if no file can be written to that folder.
    """
    if path:
        Path(path).unlink(missing_ok=True)
        with _beside(path) as file:
            Path(file.name).unlink()


def write_plan_file(path: str, parts: Sequence[Part], facts: Facts) -> None:
    """Write the file completely or not at all; raise `OSError` if that fails."""
    file = _beside(path)
    try:
        with file:
            FORMATS[Path(path).suffix.lower()](file, parts, facts)
        Path(file.name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(file.name).unlink()
        raise


def _beside(path: str) -> IO[str]:
    """Open a temporary file in the folder of ``path``, readable by its owner alone."""
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
