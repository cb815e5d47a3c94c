"""Text with placeholders in braces, such as ``/accounts/{accounts.id}/plans?`` or ``{now-30d}``.

Pure: what stands in the braces is given as values, and nothing is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from vitally_api.values import format_moment

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
NOW, START_DATE, BOOKMARK = "now", "start_date", "bookmark"
MOMENTS = (NOW, START_DATE, BOOKMARK)
MOST_DAYS = 36_500
"""A shift of more than a hundred years is a slip, and would leave the calendar."""
TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
SHIFTED = re.compile(r"now\s*([+-])\s*(\d{1,9})\s*([a-z]?)")
PROPERTY = re.compile(r"([a-z][a-z0-9_]*)\.(\w+)")
NAME = re.compile(r"[a-zA-Z]\w*")


@dataclass(frozen=True)
class Placeholder:
    """What stands in braces.

    ``stream`` is set for ``{stream.property}``, with the property as ``name``; ``shift`` is what is
    added to ``{now}``.
    """

    name: str
    stream: str = ""
    shift: timedelta = timedelta()

    @property
    def is_moment(self) -> bool:
        """Return True for ``{now...}``, ``{start_date}`` and ``{bookmark}``."""
        return not self.stream and self.name in MOMENTS


Part = str | Placeholder


@dataclass(frozen=True)
class Template:
    """Text and placeholders, in their order."""

    parts: tuple[Part, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Return the template; a `ValueError` says what is wrong with it.

        ``{{`` and ``}}`` stand for braces.
        """
        return cls(tuple(_merged(_parts(text))))

    @property
    def placeholders(self) -> list[Placeholder]:
        """Return the placeholders, in their order."""
        return [part for part in self.parts if isinstance(part, Placeholder)]

    def render(
        self,
        values: Mapping[Placeholder, str | None],
        quoted: Callable[[str], str] = lambda text: text,
    ) -> str | None:
        """Return the text with its values; None if one of them is missing or None.

        ``quoted`` is applied to each value, not to the text around it.
        """
        found = []
        for part in self.parts:
            if isinstance(part, str):
                found.append(part)
            elif (value := values.get(part)) is None:
                return None
            else:
                found.append(quoted(value))
        return "".join(found)


def _parts(text: str) -> Iterator[Part]:
    end = 0
    for token in TOKEN.finditer(text):
        yield text[end : token.start()]
        end = token.end()
        if token[0] in {"{{", "}}"}:
            yield token[0][0]
        elif token[1] is None:
            msg = f"a {token[0]} stands alone: write {token[0] * 2} for the character itself"
            raise ValueError(msg)
        else:
            yield _placeholder(token[1].strip())
    yield text[end:]


def _merged(parts: Iterator[Part]) -> Iterator[Part]:
    """Put neighbouring texts together."""
    text = ""
    for part in parts:
        if isinstance(part, str):
            text += part
        else:
            if text:
                yield text
            text = ""
            yield part
    if text:
        yield text


def _placeholder(text: str) -> Placeholder:
    if shifted := SHIFTED.fullmatch(text):
        sign, number, unit = shifted.groups()
        if unit not in UNITS:
            msg = f"{{{text}}} lacks a unit, one of {', '.join(UNITS)}: {{now-30d}}"
            raise ValueError(msg)
        shift = timedelta(**{UNITS[unit]: int(number)})
        if shift > timedelta(days=MOST_DAYS):
            msg = f"{{{text}}} is more than a hundred years away"
            raise ValueError(msg)
        return Placeholder(NOW, shift=-shift if sign == "-" else shift)
    if found := PROPERTY.fullmatch(text):
        return Placeholder(found[2], stream=found[1])
    if NAME.fullmatch(text):
        return Placeholder(text)
    msg = f"{{{text[:60]}}} is no placeholder: {{now-30d}}, {{accounts.id}} and {{name}} are"
    raise ValueError(msg)


def moment_text(moment: datetime, date_format: str) -> str:
    """Write a moment in UTC as ``iso``, ``epoch``, ``epoch_ms`` or by a pattern of strftime."""
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
    placeholders: Iterable[Placeholder],
    known: Mapping[str, datetime | None],
    date_format: str,
) -> dict[Placeholder, str | None]:
    """Return the texts of the placeholders that are moments.

    ``known`` has the run's start as ``now``, the start date, and the bookmark less the lookback; a
    bookmark that is missing is the start date.
    """
    found: dict[Placeholder, str | None] = {}
    for placeholder in placeholders:
        if placeholder.is_moment:
            moment = known.get(placeholder.name)
            if moment is None and placeholder.name == BOOKMARK:
                moment = known.get(START_DATE)
            shifted = moment + placeholder.shift if moment else None
            found[placeholder] = moment_text(shifted, date_format) if shifted else None
    return found
