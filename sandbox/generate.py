"""Makes the rows of a world, always the same for a seed.

Each resource draws from its own random generator, so that asking for more notes leaves the users
as they are. Names, phrases and traits come from pools filled once, because a pool is what makes a
million users a matter of seconds; rows are never changed in place, so they may share what is in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from random import Random

from sandbox.clock import iso
from sandbox.factories import FACTORIES
from sandbox.factories.custom import CUSTOM_FIELDS
from sandbox.factories.random_values import Moments, NewRow, RandomValues
from sandbox.resources import DATA_MODELS
from sandbox.rows import Rows
from sandbox.table import Row

HISTORY = timedelta(days=730)
"""How far back a new world remembers."""

TIED_ROWS = 150
"""How many rows one bulk import stamps with a single moment: more than fit on a page of 100."""

WITHOUT_UPDATED_AT: Mapping[str, frozenset[int]] = {
    "projects": frozenset({3, 11, 17}),
    "meetings": frozenset({5, 13}),
}
"""Serial numbers of the rows that carry no ``updatedAt`` (API notes: projects, meetings)."""

QUESTIONS = (
    ("How satisfied are you?", "number", True),
    ("What would you change?", "string", False),
    ("Which parts do you use?", "array", False),
    ("When did you start?", "date", False),
)
"""Title, type and obligation of the questions in each survey (API notes: custom surveys)."""

SIZED_PER_PARENT = frozenset({"instances", "surveyResponses"})
"""Resources whose size is that of each custom object, or of each survey."""


def sizes_for(accounts: int, asked: Mapping[str, int] | None = None) -> dict[str, int]:
    """Work out how many rows each resource gets, in proportion to the accounts.

    Sizes that are asked for win. ``instances`` are counted per custom object and
    ``surveyResponses`` per survey; a conversation has 1 to 6 messages.
    """
    asked = asked or {}
    counts = {"accounts": asked.get("accounts", accounts)}
    sizes = {}
    for resource, factory in FACTORIES.items():
        if factory.size:
            rows = asked.get(resource, factory.size(counts[factory.per]))
            sizes[resource] = counts[resource] = rows
    if unknown := asked.keys() - sizes.keys():
        msg = f"unknown resource: {', '.join(sorted(unknown))} (there are {', '.join(sizes)})"
        raise ValueError(msg)
    return sizes


class Generator:
    """Makes the rows of one world.

    The function named after a resource makes one row of it. The fields that the caller gives win
    over what would have been drawn; besides the fields of the rows these are the link fields that
    the API takes when something is written, such as ``accountIds`` for a user.
    """

    def __init__(self, rows: Rows, seed: int) -> None:
        self._rows = rows
        self._seed = seed
        self._values = RandomValues(rows, seed)
        self._serials: Counter[str] = Counter()

    def make(self, resource: str, moments: Moments, given: Row) -> NewRow:
        """Make one row; the fields that are given are not left to chance."""
        self._values.moments = moments
        serial = self._serials[resource]
        self._serials[resource] += 1
        given = dict(given)
        made = FACTORIES[resource].make(self._values, serial, given)
        return NewRow({**made.row, **given}, made.links)

    def history(self, sizes: Mapping[str, int]) -> Iterator[tuple[str, NewRow]]:
        """Make all the rows of a new world, parents before children.

        Each row has to be put into the world before the next one is asked for.
        """
        for resource, size in sizes.items():
            if resource in SIZED_PER_PARENT:
                continue
            self._values.random = Random(f"{self._seed}:{resource}")
            for moments in self._over_time(resource, size):
                yield resource, self.make(resource, moments, {})
                yield from self._parts(resource, moments, sizes)
        for model in DATA_MODELS:
            yield from self._fields_of({"model": model})
        self._values.random = Random(f"{self._seed}:changes")

    def _parts(
        self, resource: str, moments: Moments, sizes: Mapping[str, int]
    ) -> Iterator[tuple[str, NewRow]]:
        """Make what belongs to the newest row of a resource and to nothing else."""
        match resource:
            case "conversations":
                link = {"conversationId": self._rows.tables[resource].ids[-1]}
                for _ in range(self._values.random.randrange(1, 7)):
                    yield "messages", self.make("messages", moments, link)
            case "customObjects":
                link = {"customObjectId": self._rows.tables[resource].ids[-1]}
                yield from self._fields_of(link)
                for each in self._over_time("instances", sizes["instances"]):
                    yield "instances", self.make("instances", each, link)
            case "surveys":
                link = {"surveyId": self._rows.tables[resource].ids[-1]}
                for title, kind, required in QUESTIONS:
                    given = {**link, "title": title, "type": kind, "isRequired": required}
                    yield "surveyQuestions", self.make("surveyQuestions", moments, given)
                for each in self._over_time("surveyResponses", sizes["surveyResponses"]):
                    yield "surveyResponses", self.make("surveyResponses", each, link)

    def _fields_of(self, owner: Row) -> Iterator[tuple[str, NewRow]]:
        created = iso(self._rows.clock.now() - HISTORY)
        for label, path, kind, options in CUSTOM_FIELDS:
            given = {"label": label, "path": path, "type": kind, **owner}
            if options:
                given["options"] = [
                    {"label": option.title(), "value": option} for option in options
                ]
            yield "customFields", self.make("customFields", Moments(created, None), given)

    def _over_time(self, resource: str, size: int) -> Iterator[Moments]:
        """Spread rows over the history in equal steps, with one bulk import in the middle."""
        latest = int(self._rows.clock.now().timestamp()) * 1000 - 3_600_000
        span = int(HISTORY.total_seconds()) * 1000
        step = span // max(size, 1)
        tied = range(size // 2, size // 2 + min(TIED_ROWS, size // 3))
        unstamped = WITHOUT_UPDATED_AT.get(resource, frozenset())
        for i in range(size):
            created = latest - span + step * (tied.start if i in tied else i)
            share = 0.001 if i in tied else self._values.random.random() ** 3
            updated = created + int((latest - created) * share)
            yield Moments(_moment(created), None if i in unstamped else _moment(updated))


def _moment(milliseconds: int) -> str:
    return iso(datetime.fromtimestamp(milliseconds / 1000, UTC))
