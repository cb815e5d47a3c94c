"""What a stream is read from: its lists, their parents, and the pages that come of them."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from tap_vitally.errors import TapFailure

if TYPE_CHECKING:
    from tap_vitally.settings import Settings

Record = dict[str, Any]

NOT_WORTH_PACKING = 1 << 14


@dataclass(frozen=True)
class Variants:
    """The lists a stream is made of, which differ in one query parameter.

    Attributes:
        parameter: The query parameter; empty for a stream of one list.
        values: Chooses its values by the settings, in the order they are read.
        inject: The record property that tells which list a record came from, if any.
    """

    parameter: str = ""
    values: Callable[[Settings], Sequence[str]] = lambda _: ("",)
    inject: str | None = None


ONE = Variants()
ARCHIVED = Variants(
    "archived", lambda settings: ("false", "true") if settings.include_archived else ("false",)
)
ACCOUNT_STATUS = Variants("status", lambda settings: (settings.account_status,))
NPS_TARGETS = Variants("target", lambda _: ("accounts", "organization"), inject="target")
CUSTOM_FIELD_MODELS = Variants(
    "model",
    lambda _: (
        "accounts",
        "organizations",
        "users",
        "conversations",
        "notes",
        "tasks",
        "projects",
        "team",
    ),
    inject="model",
)


@dataclass(frozen=True)
class Parent:
    """A record whose own records a child stream reads.

    Attributes:
        id: Its Vitally id.
        created_at: When it was created.
        updated_at: When it last changed, as the API spells it.
        record: The record itself, where it is to be completed.
    """

    id: str
    created_at: datetime | None = None
    updated_at: str | None = None
    record: Record = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Context:
    """One list of a stream.

    Attributes:
        path: Below ``/resources``.
        params: The query that selects it.
        label: Which variant it is, for STATE and messages: ``archived=true``.
        inject: Properties added to each of its records.
        parent: Whose list it is, in a child stream.
        cursor: Where to start in it.
        since: From which moment on its records are wanted, if not from where the pass starts.
    """

    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    inject: Mapping[str, Any] = field(default_factory=dict)
    parent: Parent | None = None
    cursor: str | None = None
    since: datetime | None = None


@dataclass(frozen=True)
class Page:
    """What a chain hands to the main thread.

    Attributes:
        context: The list it is from.
        records: Ready to be written.
        weight: Bytes of memory it holds, about.
        cursor: Where the list goes on after it.
        newest: The latest change in the list so far.
        ends: Whether the list was read to its end, or to where the rest is known.
        again: Whether it comes from a second look.
        failure: Why the list could not be read, in place of records.
        parcel: The records, while they wait for their turn.
    """

    context: Context
    records: list[Record] = field(default_factory=list)
    weight: int = 0
    cursor: str | None = None
    newest: datetime | None = None
    ends: bool = False
    again: bool = False
    failure: TapFailure | None = None
    parcel: bytes | None = field(default=None, repr=False)

    def packed(self) -> Self:
        """Make it small, for as long as it waits: a tenth or less of what the records take.

        Returns:
            The page.
        """
        if self.weight < NOT_WORTH_PACKING:
            return self
        parcel = zlib.compress(pickle.dumps(self.records, pickle.HIGHEST_PROTOCOL), level=1)
        return replace(self, records=[], weight=len(parcel), parcel=parcel)

    def unpacked(self) -> Self:
        """Bring the records back, exactly as they were.

        Returns:
            The page.
        """
        if self.parcel is None:
            return self
        records = pickle.loads(zlib.decompress(self.parcel))  # noqa: S301 - packed right here
        return replace(self, records=records, parcel=None)


@dataclass(frozen=True)
class Step:
    """One page of a list on the way to its end.

    Attributes:
        rows: What is wanted of it, as the API sent it.
        size: Length of its text in bytes.
        cursor: Where the list goes on after it; None at the end.
        newest: The latest change in the list so far.
        ordered: Whether the list was in order so far.
        ends: Whether nothing that follows is wanted.
    """

    rows: list[Record]
    size: int
    cursor: str | None
    newest: datetime | None
    ordered: bool
    ends: bool
