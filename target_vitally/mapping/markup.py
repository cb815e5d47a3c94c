"""Compare HTML by what a reader sees of it."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Final

from typing_extensions import override

BREAKS: Final = frozenset({"p", "div"})
LISTS: Final = frozenset({"ul", "ol", "nl"})
STYLES: Final = {"b": "b", "strong": "b", "i": "i", "em": "i", "u": "u", "code": "code", "a": "a"}
"""Tags that a reader cannot tell apart have one name. Vitally strips what stands in none of these."""
HIDDEN: Final = frozenset({"script", "style"})
HIDDEN_TAG: Final = re.compile(r"(?i)</?(?:script|style)\b[^<>]*>")
SEEN_OF_IMAGES: Final = ("src", "alt", "width", "height")

MARKUP: Final = re.compile(
    r"""(?xs)
    (?P<comment> <!--.*?(?:-->|\Z) | <[!?/](?![A-Za-z])[^<>]*> | <![^<>]*> )
    | (?P<tag> </?[A-Za-z](?:[^<>"']|"[^"<]*"|'[^'<]*')*> | </?[A-Za-z][^<>]*> )
    | <"""
)
PLACEHOLDER: Final = re.compile(r"\{\{([^{}]*)\}\}")
STYLE: Final = re.compile(r"\x04[^\x03]*\x03")
BEFORE: Final = re.compile(r"\A(?:\s|\x04[^\x03]*\x03)+")
AFTER: Final = re.compile(r"(?:\s|\x04[^\x03]*\x03)+\Z")
"""White space and styles around a placeholder, which are gone where it is filled with nothing."""


def same_html(wanted: str, present: str) -> bool:
    """Return True if two HTML texts look the same; ``present`` may have ``{{...}}`` filled in.

    The content of ``<script>`` may have been removed, kept as text, or kept with its tags.
    """
    if wanted == present:
        return True
    theirs = (seen(present), seen(HIDDEN_TAG.sub("", present)))
    readings = (seen(wanted), seen(wanted, hidden=True), seen(HIDDEN_TAG.sub("", wanted)))
    return any(_alike(ours, their) for ours in readings for their in theirs)


def seen(text: str, *, hidden: bool = False) -> str:
    """Return the visible parts of HTML: words, breaks, styles, images and the addresses of links.

    With ``hidden``, the content of ``<script>`` and ``<style>`` counts as visible text.
    """
    reader = _Reader(hidden=hidden)
    # html.parser reads the rest of a text again for each tag that never ends: 100 kB take minutes.
    reader.feed(MARKUP.sub(_complete, text))
    reader.close()
    return "".join(reader.found).strip("\n ")


def _complete(found: re.Match[str]) -> str:
    return found["tag"] or ("" if found["comment"] else "&lt;")


class _Reader(HTMLParser):
    """Collects the words of HTML, each with its style."""

    def __init__(self, *, hidden: bool) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = hidden
        self._open: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()
        self._links: list[str] = []
        self._style = ""

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(reversed(attrs))  # the first of two attributes of one name counts
        if tag in BREAKS:
            self._gap("\n")
        elif tag == "br":
            self._gap("\n")
            self.found.append("\x02br\n")
        elif tag == "img":
            self.found.append(f"\x02img {[given.get(name) or '' for name in SEEN_OF_IMAGES]}\x03")
        elif tag == "li":
            lists = sum(self._counts[name] for name in LISTS)
            kind = next((name for name, _ in reversed(self._open[-9:]) if name in LISTS), "")
            self._gap("\n")
            self.found.append(f"\x02li {kind} {lists}\n")
        if tag in STYLES or tag in LISTS or tag in BREAKS or tag in HIDDEN:
            self._open.append((tag, given.get("href") or "" if tag == "a" else ""))
            self._counts[tag] += 1
            if tag == "a":
                self._links.append(self._open[-1][1])

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)  # HTML knows no tag that ends itself

    @override
    def handle_endtag(self, tag: str) -> None:
        if tag in BREAKS or tag in LISTS or tag == "li":
            self._gap("\n")
        while self._counts[tag]:
            name, _ = self._open.pop()
            self._counts[name] -= 1
            if name == "a":
                self._links.pop()
            if name == tag:
                break

    @override
    def handle_data(self, data: str) -> None:
        if not self._hidden and any(self._counts[tag] for tag in HIDDEN):
            return
        styles = sorted({STYLES[tag] for tag in STYLES if self._counts[tag]})
        style = " ".join([*styles, *self._links[-1:]])
        for part in re.findall(r"\s+|\S+", data):
            if part.isspace():
                self._gap(" ")
                continue
            # Each word says its style: of a placeholder that is filled with nothing, none is left.
            begins = not self.found or self.found[-1].endswith((" ", "\n", "\x03"))
            if begins or style != self._style:
                self.found.append(f"\x04{style}\x03")
                self._style = style
            self.found.append(part)

    def _gap(self, gap: str) -> None:
        """Add white space, at most once in a row; a line break replaces a blank."""
        last = self.found[-1] if self.found else "\n"
        if last == " " and gap == "\n":
            self.found[-1] = gap
        elif not last.endswith((" ", "\n")):
            self.found.append(gap)


def _alike(ours: str, theirs: str) -> bool:
    """Return True if two texts are equal; placeholders missing from ``theirs`` match any text."""
    ours, theirs = _named(ours), _named(theirs)
    if ours == theirs:
        return True
    left = set(PLACEHOLDER.findall(theirs))
    names = PLACEHOLDER.findall(ours)
    filled = set(names) - left
    if not filled or not left <= set(names):
        return False
    literals = [""]
    for part in re.split(r"(\{\{[^{}]*\}\})", ours):
        if part[2:-2] in filled and part.startswith("{{"):
            literals.append("")
        else:
            literals[-1] += part
    last = BEFORE.sub("", literals.pop())
    first, *middle = [AFTER.sub("", literal) for literal in literals]
    place, end = len(first), len(theirs) - len(last)
    if place > end or not theirs.startswith(first) or not theirs.endswith(last):
        return False
    for literal in (BEFORE.sub("", literal) for literal in middle):
        place = theirs.find(literal, place, end)
        if place < 0:
            return False
        place += len(literal)
    return True


def _named(text: str) -> str:
    """Normalise the white space in placeholders: ``{{ plan }}`` becomes ``{{plan}}``."""
    return PLACEHOLDER.sub(
        lambda found: "{{" + " ".join(STYLE.sub("", found[1]).split()) + "}}", text
    )
