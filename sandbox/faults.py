"""What can go wrong between a client and the API, on demand and in a chosen order."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import partial
from http import HTTPStatus
from random import Random
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args
from urllib.parse import parse_qsl

import msgspec

from sandbox.odd_bodies import odd_body
from sandbox.pages import Cursor, ListPage, Params, Plain, invalid
from sandbox.shapes import RESHAPED, reshaped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.table import Row

Kind: TypeAlias = Literal[
    "big_page",
    "broken_gzip",
    "cursor_refused",
    "cut_list",
    "deep_json",
    "duplicate_rows",
    "empty_page_with_next",
    "envelope",
    "epochs",
    "error_200",
    "html_200",
    "huge_number",
    "invalid_utf8",
    "lone_surrogate",
    "no_date",
    "nul_chars",
    "odd_body",
    "out_of_order",
    "param_ignored",
    "param_spelled",
    "redirect",
    "repeat_cursor",
    "reset_before",
    "reset_mid_body",
    "slow_drip",
    "stall",
    "status",
    "times_of_day",
    "truncated_chunked",
    "truncated_with_length",
    "undeclared",
    "wrong_content_type",
]

OddAnswer: TypeAlias = Literal["html", "broken_json", "error_body", "null", "empty", "404", "500"]

NEEDS_CURSOR: Final = frozenset({"cursor_refused", "duplicate_rows", "repeat_cursor"})
"""Kinds that only make sense for a page after the first."""

LATE: Final = (1.0, 8.0)
"""Seconds after which a late write is carried out, at least and at most."""

HTML: Final = b"<!doctype html><html><body><h1>Just a moment...</h1></body></html>"


@dataclass(slots=True)
class Fault:
    """One thing going wrong.

    Attributes:
        kind: What goes wrong:

            ===================== ================================================================
            status                answers ``status``, ``headers`` and ``body`` (text as it is)
            html_200              a page of HTML with status 200
            error_200             ``{"error": ...}`` with status 200
            redirect              302 to ``location``
            reset_before          resets the connection without a byte
            reset_mid_body        resets the connection half-way through the body
            truncated_with_length declares the whole length, sends half of it and hangs up
            truncated_chunked     a well-formed chunked body with half of the JSON
            stall                 keeps silent for ``seconds``, then answers
            slow_drip             sends the body in ``pieces``, waiting ``seconds`` before each
            broken_gzip           says gzip and sends something else
            wrong_content_type    good JSON that claims to be HTML
            no_date               leaves the Date header out
            big_page              adds a trait of ``megabytes`` to the first row
            invalid_utf8          ... a trait with a byte 0xff in it
            nul_chars             ... a trait with U+0000 in it
            lone_surrogate        ... a trait with half a surrogate pair in it
            huge_number           ... a trait that is a number of ``digits`` digits
            deep_json             ... a trait of ``depth`` nested arrays
            out_of_order          turns the rows of a page around
            empty_page_with_next  no rows, but a cursor that goes on properly
            repeat_cursor         answers the cursor that was sent
            duplicate_rows        repeats the last row of the page before
            cursor_refused        400 for any cursor
            envelope              rows or a record under ``name``; without any envelope if empty
            epochs                moments of rows as milliseconds since 1970
            times_of_day          days of rows as moments
            undeclared            a property ``name`` in every row
            odd_body              a list of an endpoint without a stream in the shape ``name``
            cut_list              ends a list after ``rows`` rows of a page, none for 0
            param_ignored         does not understand the parameter ``param`` of the query
            param_spelled         takes values of ``param`` as ``spelling`` has them, and no others
            ===================== ================================================================

        path: A glob for the path, with or without the leading ``/resources/``; after a ``?`` come
            the parameters that the query has to have, their values globs as well.
        method: A glob for the method.
        done: Whether a write that it spoils is carried out all the same: the answer alone is lost.
        late: Whether a write that it spoils is carried out some seconds later (`LATE`), at random.
        times: How many requests it spoils; None is all of them.
        after: How many matching requests it lets pass first.
        probability: How likely it is to strike, once it could.
    """

    kind: Kind
    path: str = "*"
    times: int | None = None
    after: int = 0
    probability: float = 1.0
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    location: str = "/"
    seconds: float = 30.0
    pieces: int = 10
    megabytes: float = 10.0
    digits: int = 5000
    depth: int = 10_000
    name: str = "data"
    rows: int = 0
    param: str = ""
    spelling: Mapping[str, str] = field(default_factory=dict)
    method: str = "*"
    done: bool = False
    late: bool = False
    _seen: int = field(default=0, init=False)
    _struck: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse a kind that does not exist."""
        if self.kind not in get_args(Kind):
            msg = f"unknown fault: {self.kind} (there are {', '.join(get_args(Kind))})"
            raise ValueError(msg)

    def strikes(self, method: str, path: str, params: Params, random: Random) -> bool:
        """Decide whether a request is to be spoiled, and count it."""
        if not fnmatchcase(method, self.method):
            return False
        if self.kind in NEEDS_CURSOR and not params.get("from"):
            return False
        if not self._matches(path, params):
            return False
        self._seen += 1
        if self._seen <= self.after or (self.times is not None and self._struck >= self.times):
            return False
        if random.random() >= self.probability:
            return False
        self._struck += 1
        return True

    def _matches(self, path: str, params: Params) -> bool:
        glob, _, query = self.path.partition("?")
        if not glob.startswith("/"):
            glob = f"/resources/{glob}"
        asked = parse_qsl(query, keep_blank_values=True)
        return fnmatchcase(path, glob) and all(
            fnmatchcase(params.get(name) or "", value) for name, value in asked
        )


class Faults(list[Fault]):
    """The faults in store. A request meets the first that matches and is not used up, if any."""

    def __init__(self, *faults: Fault, seed: int = 1) -> None:
        """Start with some faults; ``seed`` decides on those that only may strike."""
        super().__init__(faults)
        self._random = Random(seed)

    def delay(self) -> float:
        """Draw after how many seconds a late write is carried out."""
        return self._random.uniform(*LATE)

    def pick(self, method: str, path: str, params: Params) -> Fault | None:
        """Return the fault that a request meets."""
        return next((f for f in list(self) if f.strikes(method, path, params, self._random)), None)


ODDITIES: Final[Mapping[str, Callable[..., Fault]]] = {
    "html": partial(Fault, "html_200"),
    "broken_json": partial(Fault, "status", status=200, body='{"results": [{"id": "1", '),
    "error_body": partial(Fault, "error_200"),
    "null": partial(Fault, "status", status=200, body="null"),
    "empty": partial(Fault, "status", status=200, body=""),
    "404": partial(Fault, "status", status=404),
    "500": partial(Fault, "status", status=500),
}
"""Odd answers by name, each a fault that wants a path."""


def odd(path: str, kind: OddAnswer) -> Fault:
    """Return the fault that makes a path give a lastingly odd answer."""
    return ODDITIES[kind](path=path)


def misread(fault: Fault, params: dict[str, str]) -> None:
    """Have the API read the query of a request in another way, if the fault is about that."""
    if fault.kind == "param_ignored":
        params.pop(fault.param, None)
    elif fault.kind == "param_spelled" and fault.param in params:
        params[fault.param] = fault.spelling.get(params[fault.param], "")


def tamper(fault: Fault, answer: Plain | ListPage) -> Plain | ListPage:
    """Spoil the contents of an answer, if that is what the fault is about."""
    if fault.kind in ODD_VALUES:
        return _with_odd_value(answer, ODD_VALUES[fault.kind](fault))
    if fault.kind in RESHAPED:
        return reshaped(fault.kind, fault.name, answer)
    if fault.kind == "cursor_refused":
        return invalid("from", "must be a cursor")
    if not isinstance(answer, ListPage):
        return answer
    if fault.kind == "odd_body":
        return odd_body(fault.name, answer)
    sent = answer.sent or answer.first
    return _misled(fault, answer, sent) if sent else answer


def _misled(fault: Fault, page: ListPage, sent: Cursor) -> ListPage:
    """Spoil the order or the end of a page that was asked for with a cursor."""
    match fault.kind:
        case "out_of_order":
            return replace(page, rows=page.rows[::-1])
        case "empty_page_with_next":
            again = replace(sent, turn=sent.turn + 1)
            return replace(page, rows=[], next=again.encode(), at_end=False)
        case "repeat_cursor":
            return replace(page, next=sent.encode(), at_end=False)
        case "cut_list":
            return replace(page, rows=page.rows[: fault.rows], next=None, at_end=True)
        case "duplicate_rows" if page.former:
            return replace(page, rows=[page.former, *page.rows])
    return page


ODD_VALUES: Final[Mapping[str, Callable[[Fault], bytes]]] = {
    "big_page": lambda fault: b'"%b"' % (b"x" * int(fault.megabytes * 1_000_000)),
    "invalid_utf8": lambda _: b'"a\xffb"',
    "nul_chars": lambda _: rb'"a\u0000b"',
    "lone_surrogate": lambda _: rb'"a\ud83db"',
    "huge_number": lambda fault: b"9" * fault.digits,
    "deep_json": lambda fault: b"[" * fault.depth + b"]" * fault.depth,
}
"""The JSON of the trait that a fault smuggles in."""


def _with_odd_value(answer: Plain | ListPage, raw: bytes) -> Plain | ListPage:
    """Add a trait to the first row, or to the object itself if it is not a list."""

    def marked(row: Row) -> Row:
        if "traits" not in row:
            return {**row, "odd": msgspec.Raw(raw)}
        return {**row, "traits": {**row["traits"], "odd": msgspec.Raw(raw)}}

    if isinstance(answer, ListPage):
        return replace(answer, rows=[marked(row) for row in answer.rows[:1]] + answer.rows[1:])
    if isinstance(answer.payload, dict):
        return replace(answer, payload=marked(answer.payload))
    if isinstance(answer.payload, list) and answer.payload:
        return replace(answer, payload=[marked(answer.payload[0]), *answer.payload[1:]])
    return answer


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it goes over the wire."""

    status: int
    body: bytes
    headers: dict[str, str]


def respond(fault: Fault, reply: Reply) -> Reply:
    """Spoil the status, the headers or the whole body of a reply, if the fault is about that."""
    headers = reply.headers
    match fault.kind:
        case "status" | "html_200" | "error_200" | "redirect":
            return _instead(fault, headers)
        case "wrong_content_type":
            return replace(reply, headers={**headers, "Content-Type": "text/html"})
        case "truncated_chunked":
            return replace(reply, body=reply.body[: len(reply.body) // 2])
        case "no_date":
            return replace(reply, headers={k: v for k, v in headers.items() if k != "Date"})
    return reply


def _instead(fault: Fault, headers: dict[str, str]) -> Reply:
    """Answer something else altogether."""
    match fault.kind:
        case "html_200":
            return Reply(200, HTML, {**headers, "Content-Type": "text/html; charset=utf-8"})
        case "error_200":
            return Reply(200, b'{"error": "Something went wrong"}', headers)
        case "redirect":
            return Reply(302, b"", {**headers, "Location": fault.location})
    body = fault.body
    if body is None:
        body = json.dumps({"error": HTTPStatus(fault.status).phrase})
    return Reply(fault.status, body.encode(), {**headers, **fault.headers})
