"""Draws the tables of a group of streams and how they are linked, from what the streams declare."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from scripts.about import types_of
from tap_vitally.streams import STREAMS

LINK: Final = re.compile(r"\b(\w+)\.id\b|\(id in (\w+(?: or \w+)*)\)")
ROW, HEAD, GAP, BOX, TRACK, MARGIN = 17, 26, 20, 310, 10, 10
"""Pixels: a row, a header, between two boxes, the width of a box, between two tracks, around."""
COLORS: Final = (
    ("#2563c9", "#7fb0ff"),
    ("#b4540a", "#f5a961"),
    ("#15803d", "#6fd392"),
    ("#a21caf", "#e58af0"),
    ("#0e7490", "#67d5ec"),
    ("#be123c", "#ff8fa6"),
    ("#6d5d00", "#dcc85a"),
    ("#5b21b6", "#b79cff"),
    ("#475569", "#b3bfce"),
)
"""A link has the color of the table that it leads to, on a light page and on a dark one."""
KINDS: Final[Mapping[str, str]] = {"string": "text", "date-time": "moment", "array": "list"}


@dataclass(frozen=True)
class Column:
    """A column, and the tables whose ids it holds; several ids if ``many``."""

    name: str
    kind: str
    is_key: bool = False
    links: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class Box:
    """A table at its place; one of another group shows its key alone."""

    name: str
    columns: Sequence[Column]
    x: int
    y: int
    is_own: bool

    @property
    def height(self) -> int:
        """Pixels from the top of the header to the end of the last row."""
        return _height(self.columns)

    @property
    def inner(self) -> int:
        """The edge that looks at the tracks."""
        return self.x + BOX if self.x == MARGIN else self.x


def columns_of(stream: type[Any]) -> Iterator[Column]:
    """Yield the columns of a stream, the links to other tables among them."""
    schema: dict[str, Any] = stream.schema
    for name, declared in schema["properties"].items():
        kind = declared.get("format") or types_of(declared)[0]
        links = _links(stream.name, declared.get("description", ""))
        yield Column(
            name,
            KINDS.get(kind, kind),
            is_key=name in stream.primary_keys,
            links=tuple(dict.fromkeys(links)),
            many="array" in types_of(declared),
        )


def diagram(title: str, streams: Sequence[type[Any]]) -> str:
    """Return an SVG of some streams: all columns, the tables that they lead to, and the links."""
    own = {stream.name: list(columns_of(stream)) for stream in streams}
    known = {stream.name for stream in STREAMS}
    linked = {
        table: None
        for columns in own.values()
        for column in columns
        for table in column.links
        if table in known
    }
    keys = [Column("id", "text", is_key=True)]
    tables = {name: keys for name in linked if name not in own} | own
    tracks = {name: number for number, name in enumerate(linked)}
    boxes = _placed(tables, own, len(tracks))
    width = 2 * (MARGIN + BOX) + _gutter(len(tracks))
    height = max(box.y + box.height for box in boxes.values()) + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        f'width="{width}" height="{height}" role="img" aria-labelledby="t d">',
        f'<title id="t">{escape(title)}</title>',
        f'<desc id="d">{escape(_described(own, tracks))}</desc>',
        _style(len(tracks)),
        *(_drawn_link(box, row, tracks, boxes) for box, row in _linked_rows(boxes, tracks)),
        *(line for box in boxes.values() for line in _drawn_box(box, tracks)),
        "</svg>",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _links(stream: str, description: str) -> Iterator[str]:
    """Yield the tables that a description says to join; of several kinds of category, the own."""
    for table, choices in LINK.findall(description):
        if table:
            yield table
            continue
        named = choices.split(" or ")
        own = [choice for choice in named if choice.startswith(stream.removesuffix("s"))]
        yield from own or named


def _described(own: Mapping[str, Sequence[Column]], tracks: Mapping[str, int]) -> str:
    """Say the links in words, for those who cannot see them."""
    return "; ".join(
        f"{name}.{column.name} to {table}"
        for name, columns in own.items()
        for column in columns
        for table in column.links
        if table in tracks
    )


def _gutter(tracks: int) -> int:
    return (tracks + 3) * TRACK


def _height(columns: Sequence[Column]) -> int:
    return HEAD + ROW * len(columns) + 4


def _placed(
    tables: Mapping[str, Sequence[Column]], own: Mapping[str, Any], tracks: int
) -> dict[str, Box]:
    """Put each table below the shorter of two stacks, the longest ones first."""
    depths = [MARGIN, MARGIN]
    sides = (MARGIN, MARGIN + BOX + _gutter(tracks))
    boxes = {}
    for name in sorted(tables, key=lambda name: (name not in own, -len(tables[name]), name)):
        side = depths.index(min(depths))
        boxes[name] = Box(name, tables[name], sides[side], depths[side], name in own)
        depths[side] += boxes[name].height + GAP
    return boxes


def _linked_rows(boxes: Mapping[str, Box], tracks: Mapping[str, int]) -> Iterator[tuple[Box, int]]:
    for box in boxes.values():
        for row, column in enumerate(box.columns):
            if tracks.keys() & set(column.links):
                yield box, row


def _drawn_link(box: Box, row: int, tracks: Mapping[str, int], boxes: Mapping[str, Box]) -> str:
    """Draw from a row to the track of each table that it leads to, and along it to its header."""
    column = box.columns[row]
    top = box.y + HEAD + ROW * row + ROW // 2
    lines = []
    for table in filter(tracks.__contains__, column.links):
        target = boxes[table]
        track = MARGIN + BOX + TRACK * (tracks[table] + 2)
        head = target.y + HEAD // 2
        tip = target.inner + (3 if target.x == MARGIN else -3)
        lines.append(
            f'<path class="link c{tracks[table] % len(COLORS)}{" many" * column.many}" '
            f'd="M{box.inner} {top}H{track}V{head}H{tip}"/>'
        )
    return "\n".join(lines)


def _drawn_box(box: Box, tracks: Mapping[str, int]) -> Iterator[str]:
    color = f" c{tracks[box.name] % len(COLORS)}" if box.name in tracks else ""
    yield (
        f'<rect class="box{"" if box.is_own else " other"}" x="{box.x}" y="{box.y}" '
        f'width="{BOX}" height="{box.height}" rx="5"/>'
    )
    yield f'<text class="name" x="{box.x + 10}" y="{box.y + 18}">{escape(box.name)}</text>'
    if color:
        at = box.inner - 3 if box.x == MARGIN else box.inner
        yield f'<rect class="end{color}" x="{at}" y="{box.y + 4}" width="3" height="{HEAD - 8}"/>'
    for row, column in enumerate(box.columns):
        base = box.y + HEAD + ROW * row + 12
        leads_to = f"→ {', '.join(column.links)}"
        kind = f"list {leads_to}" if column.many else leads_to
        kind = f"{kind if column.links else column.kind}{', key' * column.is_key}"
        style = "key" if column.is_key else "column"
        yield f'<text class="{style}" x="{box.x + 10}" y="{base}">{escape(column.name)}</text>'
        yield f'<text class="kind" x="{box.x + BOX - 10}" y="{base}">{escape(kind)}</text>'


def _style(tracks: int) -> str:
    def colors(which: int) -> str:
        return " ".join(
            f".link.c{number} {{ stroke: {pair[which]}; }} .end.c{number} {{ fill: {pair[which]}; }}"
            for number, pair in enumerate(COLORS[:tracks])
        )

    return f"""<style>
text {{ font: 11.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }}
.box {{ fill: #ffffff; stroke: #8b96a5; }} .other {{ fill: #eef1f5; stroke-dasharray: 4 3; }}
.name {{ fill: #16202c; font-size: 13px; font-weight: 700; }}
.column {{ fill: #2a3542; }} .key {{ fill: #16202c; font-weight: 700; }}
.kind {{ fill: #5b6775; text-anchor: end; }}
.link {{ fill: none; stroke-width: 1.4; }} .many {{ stroke-dasharray: 5 3; }}
{colors(0)}
@media (prefers-color-scheme: dark) {{
.box {{ fill: #1c232c; stroke: #6b7787; }} .other {{ fill: #2a323d; }}
.name, .key {{ fill: #f0f3f7; }} .column {{ fill: #d3dae3; }} .kind {{ fill: #a5b0be; }}
{colors(1)}
}}
</style>"""
