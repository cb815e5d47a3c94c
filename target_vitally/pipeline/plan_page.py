"""The plan as one page that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.resources import files
from string import Template
from typing import Any

from target_vitally.mapping.plan import OUTCOMES, Outcome
from target_vitally.mapping.planned_change import ACTIONS, PlannedChange
from target_vitally.pipeline.planned_changes import Part
from vitally_api import as_text

COLUMNS = (*ACTIONS, "refused")
SCRIPT = re.compile("<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True)
class Facts:
    """What stands above the changes.

    ``host`` is the address of the API, ``counts`` the records that each stream changes, by action,
    ``outcomes`` how many rows had each. ``requests`` are those that it takes to write, or that a run
    has sent, ``per_minute`` how many the API allows, None if that is unknown. ``limit`` is the setting
    ``plan_limit``.
    """

    dry_run: bool
    host: str
    counts: Mapping[str, Counter[str]]
    outcomes: Mapping[Outcome, int]
    requests: int
    per_minute: int | None
    limit: int
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def lines(self) -> Iterator[str]:
        """Yield what is said of the run, sentence by sentence."""
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
    """Say what it costs to carry a plan out."""
    if not requests:
        return "To carry it out takes no request."
    said = f"To carry it out takes {requests:,} request{'s' if requests > 1 else ''}"
    if per_minute:
        said += f": {-(-requests // per_minute):,} min at {per_minute:,} a minute"
    return f"{said}."


def pieces_of_page(parts: list[Part], facts: Facts) -> Iterator[str]:
    """Yield the page piece by piece, so that it need not be in memory."""
    template = (files(__package__) / "plan.html").read_text(encoding="utf-8")
    (script,) = SCRIPT.findall(template)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    head, tail = template.replace("$digest", digest).split("$parts")
    yield Template(head).substitute(
        title="What target-vitally would do" if facts.dry_run else "What target-vitally did",
        facts="".join(f"<p>{html.escape(line)}</p>" for line in facts.lines),
        counts=_table_of_counts(facts.counts),
        streams="".join(f"<option>{html.escape(stream)}</option>" for stream in facts.counts),
        actions="".join(
            f'<label><input type="checkbox" data-action="{action}" checked> {action}</label>'
            for action in ACTIONS
            if any(part.action == action for part in parts)
        ),
    )
    for part in parts:
        yield from _part(part, facts)
    if not parts:
        yield "<p>Nothing changes.</p>"
    yield tail


def _table_of_counts(counts: Mapping[str, Counter[str]]) -> str:
    present = [name for name in COLUMNS if any(of_stream[name] for of_stream in counts.values())]
    if not present:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("stream", *present))
    return f"<thead><tr>{head}</tr></thead><tbody>{''.join(_count_rows(counts, present))}</tbody>"


def _count_rows(counts: Mapping[str, Counter[str]], present: Iterable[str]) -> Iterator[str]:
    for stream, of_stream in counts.items():
        numbers = "".join(f"<td>{of_stream[name]:,}</td>" for name in present)
        yield f"<tr><th>{html.escape(stream)}</th>{numbers}</tr>"


def _part(part: Part, facts: Facts) -> Iterator[str]:
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
        yield _record(change)
    more = f"<p>And {part.rest:,} more: plan_limit is {facts.limit:,}.</p>" if part.rest else ""
    yield f"</table>{more}</section>\n"


def _record(change: PlannedChange) -> str:
    """Write one record as a body of a table, a row for each property."""
    key = f'<span class="key">{html.escape(change.key)}</span>' if change.name else ""
    values = list(change.values.items()) or [("", (None, None))]
    name = html.escape(change.name or change.key or "without a key")
    rows = [
        f'<th scope="row" rowspan="{len(values)}"><span>{name}</span>{key}</th>',
        *[""] * len(values),
    ]
    cells = (
        f"<tr>{first}<td>{html.escape(prop)}</td>{_cell('old', old)}{_cell('new', new)}</tr>"
        for first, (prop, (old, new)) in zip(rows, values, strict=False)
    )
    return f"<tbody>{''.join(cells)}</tbody>\n"


def _cell(name: str, value: Any) -> str:
    text = "" if value is None else html.escape(as_text(value))
    return f'<td class="{name}" data-label="{name}">{text}</td>'
