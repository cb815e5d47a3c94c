"""Text with placeholders in braces, such as ``/accounts/{accounts.id}/plans`` or ``{now-30d}``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from vitally_api.values import format_moment

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
NOW, START_DATE, BOOKMARK = MOMENTS = ("now", "start_date", "bookmark")
MOST_DAYS = 36_500
"""The largest shift, a hundred years: more is a mistake, and exceeds the range of dates."""
TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
SHIFTED = re.compile(r"now\s*([+-])\s*(\d{1,9})\s*([a-z]?)")
PROPERTY = re.compile(r"([a-z][a-z0-9_]*)\.(\w+)")
NAME = re.compile(r"[a-zA-Z]\w*")


@dataclass(frozen=True)
class Placeholder:
    """A placeholder: ``stream`` is set for ``{stream.property}``; ``shift`` is added to ``{now}``."""

    name: str
    stream: str = ""
    shift: timedelta = timedelta()

    @property
    def is_moment(self) -> bool:
        """True for ``{now...}``, ``{start_date}`` and ``{bookmark}``."""
        return not self.stream and self.name in MOMENTS

    def __str__(self) -> str:
        """Return the placeholder in braces, without the shift."""
        return f"{{{self.stream}.{self.name}}}" if self.stream else f"{{{self.name}}}"

    @classmethod
    def parse(cls, text: str) -> Placeholder:
        """Parse the text between two braces; raise a `ValueError` if it is no placeholder."""
        if shifted := SHIFTED.fullmatch(text):
            sign, number, unit = shifted.groups()
            if unit not in UNITS:
                raise ValueError(f"{{{text}}} lacks a unit, one of {', '.join(UNITS)}: {{now-30d}}")
            shift = timedelta(**{UNITS[unit]: int(number)})
            if shift > timedelta(days=MOST_DAYS):
                raise ValueError(f"{{{text}}} is more than a hundred years away")
            return cls(NOW, shift=-shift if sign == "-" else shift)
        if found := PROPERTY.fullmatch(text):
            return cls(found[2], stream=found[1])
        if NAME.fullmatch(text):
            return cls(text)
        raise ValueError(
            f"{{{text[:60]}}} is no placeholder: {{now-30d}}, {{accounts.id}} and {{name}} are"
        )


@dataclass(frozen=True)
class Template:
    """Text with placeholders, and ``{{`` for a brace; raises a `ValueError` on use if not valid."""

    text: str

    @cached_property
    def placeholders(self) -> list[Placeholder]:
        """The placeholders, in their order."""
        found = []
        for token in TOKEN.finditer(self.text):
            if token[0] in {"{", "}"}:
                raise ValueError(
                    f"a {token[0]} stands alone: write {token[0] * 2} for the character itself"
                )
            if token[1] is not None:
                found.append(Placeholder.parse(token[1].strip()))
        return found

    def render(
        self, values: Mapping[Placeholder, str | None], quoted: Callable[[str], str] = str
    ) -> str | None:
        """Replace the placeholders with values, each ``quoted``; return None if a value is missing."""
        found = [values.get(each) for each in self.placeholders]
        if None in found:
            return None
        given = iter(found)
        # `{{` and `}}` have no group, and are a brace.
        return TOKEN.sub(
            lambda token: token[0][0] if token[1] is None else quoted(str(next(given))), self.text
        )


def moment_text(moment: datetime, date_format: str) -> str:
    """Format a time in UTC as ``iso``, ``epoch``, ``epoch_ms`` or by a pattern of strftime."""
    match date_format:
        case "iso":
            return format_moment(moment)
        case "epoch":
            return str(int(moment.timestamp()))
        case "epoch_ms":
            return str(int(moment.timestamp() * 1000))
        case pattern:
            return moment.strftime(pattern)


def moments_of(
    placeholders: Iterable[Placeholder], known: Mapping[str, datetime | None], date_format: str
) -> dict[Placeholder, str]:
    """Return the formatted times of the placeholders that stand for one; leave out unknown ones.

    ``known`` has the start of the run as ``now``, ``start_date``, and as ``bookmark`` the bookmark less
    the lookback; without a bookmark the start date is used.
    """
    found = {}
    for each in placeholders:
        moment = known.get(each.name) or (each.name == BOOKMARK and known.get(START_DATE))
        if each.is_moment and moment:
            found[each] = moment_text(moment + each.shift, date_format)
    return found
