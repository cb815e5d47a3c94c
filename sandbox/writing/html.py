"""HTML as Vitally keeps it: what is not on its list goes without a word."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape
from html.parser import HTMLParser
from typing import Any, Final

PLAIN: Final = (
    *("p", "div", "br", "ul", "ol", "nl", "li"),
    *("b", "u", "i", "strong", "em", "code"),
)

ALLOWED: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(PLAIN, frozenset()),
    "a": frozenset({"href", "name", "target"}),
    "img": frozenset({"src", "alt", "width", "height"}),
}
"""The attributes of each tag that may stay."""

BRACES: Final = re.compile(r"\{\{\s*(account|organization)\.traits\.([^}\s]+)\s*\}\}")


class _Stripper(HTMLParser):
    """Writes down what may stay, text as it was."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ALLOWED:
            given = ((name, value or "") for name, value in attrs if name in ALLOWED[tag])
            text = "".join(f' {name}="{escape(value)}"' for name, value in given)
            self.kept.append(f"<{tag}{text}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in ALLOWED:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.kept.append(data)

    def handle_entityref(self, name: str) -> None:
        self.kept.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.kept.append(f"&#{name};")


def stripped(text: str) -> str:
    """Leave out tags and attributes that Vitally does not keep."""
    stripper = _Stripper()
    stripper.feed(text)
    stripper.close()
    return "".join(stripper.kept)


def filled(text: str, traits: Callable[[str], Mapping[str, Any]]) -> str:
    """Replace ``{{account.traits.key}}`` by the trait, or by nothing where there is none."""
    return BRACES.sub(lambda found: str(traits(found[1]).get(found[2], "")), text)
