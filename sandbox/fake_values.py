"""What rows are made of: people, words and traits to draw from, filled once per seed."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from decimal import Decimal
from functools import cache
from random import Random
from typing import TYPE_CHECKING

from faker import Faker

if TYPE_CHECKING:
    from sandbox.table import Row


ODD_TEXTS = (
    "First line\nsecond line\r\nthird line",
    "Left\tright\tend",
    r"C:\temp\new \n \t \u0041 \\",
    """It's "quoted", `so` and ""twice""; 'once'""",
    "a,b;c|d",
    "Long text " * 300 + "end",
    "100 % of $1 -- %s {0} #",
)
"""What a file format may trip over: in one phrase of twenty."""


ODD_TRAITS: tuple[Row, ...] = (
    {"odd": {"nested": {"deep": [1, {"a": None}]}}},
    {"odd": ["a", 1, None, True]},
    {"odd": 'First line\nsecond\tline \\ "end"'},
    {"odd key": 1, "ümlaut.key": "é", "odd-key": True},
    {"odd": 10**30, "odd.small": Decimal("1E-30")},
    {"odd": "", "odd.zero": 0, "odd.false": False, "odd.list": [], "odd.object": {}},
)
"""Names and values that no custom field would have; integrations send anything."""


class FakeValues:
    """Words, people and traits to draw from."""

    def __init__(self, seed: int) -> None:
        """Make the values to draw from."""
        fake = Faker("en_US")
        fake.seed_instance(seed)
        self.first_names = sorted({fake.first_name() for _ in range(150)})
        self.last_names = sorted({fake.last_name() for _ in range(150)})
        self.companies = [
            *sorted({fake.company() for _ in range(150)}),
            "Bäckerei Größe & Söhne",
            "株式会社サンプル",
            "Rocket 🚀 Example, Inc.",
            'Quote " and \\ Backslash',
        ]
        self.phrases = [
            *(fake.sentence(nb_words=5).rstrip(".") for _ in range(150)),
            "Kick-off 🎉 — naïve façade",
            "Zażółć gęślą jaźń",
        ]
        # In place of others, so that chance draws the same as ever.
        self.phrases[10 : 10 + len(ODD_TEXTS)] = ODD_TEXTS
        random = Random(f"{seed}:traits")
        self.traits = [self._traits(random) for _ in range(200)]
        for traits, odd in zip(self.traits[::7], ODD_TRAITS, strict=False):
            traits.update(odd)
        self.segments = [
            {"id": new_id(random), "name": name}
            for name in ("Enterprise", "Trial", "At risk ⚠️", "Pilot", "Partners")
        ]
        self.key_roles = [
            {"id": new_id(random), "createdAt": "2023-06-01T00:00:00.000Z", "label": label}
            for label in ("CSM", "Account executive", "Onboarding")
        ]
        self.project_statuses = [new_id(random) for _ in range(3)]

    def leave_out_odd_traits(self) -> None:
        """Draw no traits that some programs end at, from now on: dlt writes no integer of 31 digits."""
        for traits in self.traits:
            for name in {name for odd in ODD_TRAITS for name in odd}:
                traits.pop(name, None)

    def _traits(self, random: Random) -> Row:
        """Mix the kinds of values that traits are made of (API notes: traits)."""
        every = {
            "plan": random.choice(("gold", "silver", "бронза", "")),
            "beta": random.random() < 0.5,
            "CREATED_AT": None,
            "createdAt": "2022-02-02",
            "usage_mrr": Decimal("0.10"),
            "events_total": 12345678901234567890,
            "score": random.randrange(-100, 100) / 8,
            "vitally.custom.tier": random.choice("ABC"),
            "vitally.custom.products": random.sample(("north", "south", "wést"), 2),
            "vitally.custom.nextStep": f"<p>{random.choice(self.phrases)}</p>",
            "hspot.contract_start_date": 1_640_995_200_000 + random.randrange(730) * 86_400_000,
            "hspot.of_cases": random.randrange(50),
            "sfdc.Renew_Date__c": f"2027-{random.randrange(1, 13):02}-01T00:00:00.000Z",
            "stripe.metadata.ref-no": f"r{random.randrange(1000)}",
            "vitally.custom.largeCount": random.randrange(2**40),
        }
        exact = ("plan", "usage_mrr", "events_total", "vitally.custom.tier", "CREATED_AT")
        return {k: v for k, v in every.items() if k in exact or random.random() < 0.6}


@cache
def fake_values(seed: int) -> FakeValues:
    """Return the values of a seed, made once: 0.1 s that every world of a test would pay."""
    return FakeValues(seed)


def new_id(random: Random) -> str:
    """Return a lower-case UUID (version 4) that depends on nothing but the generator."""
    text = f"{random.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"
