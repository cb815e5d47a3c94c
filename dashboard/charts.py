"""A plot for each answer: the one that suits its question, or bars of its first number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import altair as alt

from dashboard.questions import Answer, Row

MOST_BARS: Final = 15
HEIGHT: Final = 260
RISK: Final = "#d1495b"
COLORS: Final = ("#2f6fd0", RISK, "#3a9d6e", "#c98a1b", "#7a5bc7")
VOTES: Final = ("#3a9d6e", "#a5b0be", RISK)

Plot = Callable[[Answer], Any]


def chart(answer: Answer) -> dict[str, Any] | None:
    """Return the plot of an answer as a specification of Vega-Lite, None where nothing can be drawn."""
    if not answer.rows:
        return None
    plot = PLOTS.get(answer.title) or _first_number(answer)
    if not plot:
        return None
    drawn: dict[str, Any] = (
        plot(answer)
        .properties(width="container", height=HEIGHT)
        .configure_view(stroke=None)
        .configure_range(category=list(COLORS))
        .to_dict()
    )
    return drawn


def _first_number(answer: Answer) -> Plot | None:
    """Return bars of the first column with numbers, by the first with text."""
    first = answer.rows[0]
    kinds = {name: [row[name] for row in answer.rows if row[name] is not None] for name in first}
    number = next((n for n, found in kinds.items() if found and _is_number(found[0])), None)
    text = next((n for n, found in kinds.items() if found and isinstance(found[0], str)), None)
    return bars(text, number) if text and number else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def bars(name: str, *numbers: str) -> Plot:
    """Return a plot of horizontal bars, the largest ones; several numbers are beside each other."""

    def plot(answer: Answer) -> Any:
        beside = alt.YOffset("what:N", sort=list(map(_words, numbers)))
        return _bars(answer, name, numbers).encode(yOffset=beside, color=_color(numbers))

    return plot


def parts(name: str, part: str, number: str) -> Plot:
    """Return bars whose parts stand for the values of another column."""

    def plot(answer: Answer) -> Any:
        rows = [
            {"name": _named(row[name]), "part": _named(row[part]), "number": row[number]}
            for row in answer.rows
        ]
        return (
            alt.Chart(alt.Data(values=rows))
            .mark_bar()
            .encode(
                x=alt.X("sum(number):Q", title=_words(number), axis=alt.Axis(tickMinStep=1)),
                y=alt.Y("name:N", sort="-x", title=None),
                color=alt.Color("part:N", title=None, legend=alt.Legend(orient="top", columns=4)),
                tooltip=["name:N", "part:N", "number:Q"],
            )
        )

    return plot


def votes(name: str, *numbers: str) -> Plot:
    """Return bars whose parts stand for promoters, passives and detractors."""

    def plot(answer: Answer) -> Any:
        return _bars(answer, name, numbers).encode(color=_color(numbers, VOTES), order="order:O")

    return plot


def months(month: str, *numbers: str, mark: str = "bar") -> Plot:
    """Return a plot over months, of a column with a day or with what ``_year`` and ``_month`` follow.

    ``rows`` counts the rows themselves.
    """

    def plot(answer: Answer) -> Any:
        rows = [{"rows": 1, **row, month: _month(row, month)} for row in answer.rows]
        long = _long([row for row in rows if row[month]], month, numbers)
        base = alt.Chart(alt.Data(values=long))
        drawn = base.mark_line(point=True) if mark == "line" else base.mark_bar()
        return drawn.encode(
            x=alt.X("name:O", title=None),
            y=alt.Y(
                "sum(number):Q", title=None if len(numbers) > 1 else _words(numbers[0]), stack=None
            ),
            color=_color(numbers),
            tooltip=["name:O", "what:N", "sum(number):Q"],
        )

    return plot


def counts(name: str) -> Plot:
    """Return bars of how many rows have each value of a column."""

    def plot(answer: Answer) -> Any:
        return (
            alt.Chart(alt.Data(values=[{"name": _named(row[name])} for row in answer.rows]))
            .mark_bar(color=COLORS[0])
            .encode(
                x=alt.X("count():Q", title="rows", axis=alt.Axis(tickMinStep=1)),
                y=alt.Y("name:N", sort="-x", title=None),
                tooltip=["name:N", "count():Q"],
            )
        )

    return plot


def at_risk(answer: Answer) -> Any:
    """Draw each account by its health and the days since the last touch, as large as its revenue."""
    return (
        alt.Chart(alt.Data(values=list(answer.rows)))
        .mark_circle(opacity=0.8, color=RISK)
        .encode(
            x=alt.X("days_since_last_touch:Q", title="days since last touch"),
            y=alt.Y("health_score:Q", title="health", scale=alt.Scale(zero=False)),
            size=alt.Size(
                "arr:Q",
                title="annual revenue",
                scale=alt.Scale(range=[60, 900]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["name:N", "csm_name:N", "health_score:Q", "arr:Q", "next_renewal_at:N"],
        )
    )


def _bars(answer: Answer, name: str, numbers: tuple[str, ...]) -> Any:
    rows = sorted(answer.rows, key=lambda row: -sum(row[number] or 0 for number in numbers))
    rows = rows[:MOST_BARS]
    whole = all(isinstance(row[number], int | None) for row in rows for number in numbers)
    ticks = alt.Axis(tickMinStep=1) if whole else alt.Axis()
    title = None if len(numbers) > 1 else _words(numbers[0])
    return (
        alt.Chart(alt.Data(values=_long(rows, name, numbers)))
        .mark_bar()
        .encode(
            x=alt.X("sum(number):Q", title=title, axis=ticks),
            y=alt.Y(
                "name:N", sort=list(dict.fromkeys(_named(row[name]) for row in rows)), title=None
            ),
            tooltip=["name:N", "what:N", "sum(number):Q"],
        )
    )


def _long(rows: list[Row], name: str, numbers: tuple[str, ...]) -> list[Row]:
    return [
        {"name": _named(row[name]), "what": _words(number), "number": row[number], "order": order}
        for row in rows
        for order, number in enumerate(numbers)
    ]


def _named(value: Any) -> str:
    return "none" if value is None else str(value)


def _color(numbers: tuple[str, ...], colors: tuple[str, ...] = COLORS) -> Any:
    legend = alt.Legend(orient="top") if len(numbers) > 1 else None
    scale = alt.Scale(domain=list(map(_words, numbers)), range=list(colors[: len(numbers)]))
    return alt.Color("what:N", scale=scale, title=None, legend=legend)


def _month(row: Row, name: str) -> str | None:
    if f"{name}_year" in row:
        return f"{row[f'{name}_year']}-{row[f'{name}_month']:02}"
    return str(row[name])[:7] if row[name] else None


def _words(column: str) -> str:
    return column.removesuffix("_count").replace("_", " ")


PLOTS: Final[Mapping[str, Plot]] = {
    "Who is at risk?": at_risk,
    "How healthy are our segments?": bars("segment_name", "average_health"),
    "How much revenue is at risk, by the month of its renewal?": months(
        "renewal_month", "arr", "arr_at_risk"
    ),
    "What is the NPS of each account?": votes(
        "account_name", "promoters_count", "passives_count", "detractors_count"
    ),
    "Whom have we not talked to for long?": bars("name", "days_since_last_touch"),
    "Who has how much on their plate?": bars("name", "open_tasks_count", "overdue_tasks_count"),
    "Which tasks are overdue?": counts("assigned_to_name"),
    "How many notes do we write about each account, month by month?": months("noted", "notes"),
    "How many conversations do we have with each account?": bars("name", "conversations_count"),
    "How many messages go back and forth?": months("sent", "received", "sent", mark="line"),
    "How do I get a custom trait as a column?": counts("tier"),
    "How are our projects doing?": bars("status", "projects", "overdue_tasks"),
    "Whom have we lost, and what was it worth?": months("churned_at", "arr"),
    "Whose health has fallen?": bars("account_name", "health_score_30_days_ago", "health_score"),
    "How much of our revenue do we keep?": bars("segment_name", "starting_mrr", "ending_mrr"),
    "How are our organizations doing?": bars("name", "arr_of_accounts"),
    "Which meetings have left no note?": months("starts_at", "rows"),
    "What do customers answer to our surveys?": bars("question_title", "answers"),
    "Which custom objects are used?": bars("custom_object_label", "records", "linked_records"),
    "Which accounts have no CSM?": bars("name", "arr"),
    "Who writes notes, about what?": parts("author_name", "note_category_name", "notes"),
}
"""By the title of the question; `tests/whole/test_first_steps.py` holds that each is asked."""
