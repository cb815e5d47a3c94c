"""How a run is shown to people: what became of the rows, and in a dry run the plan."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from singer_command.tables import drawn
from target_vitally.mapping.plan import OUTCOMES
from target_vitally.pipeline.bulk_channel import IN_BULK
from target_vitally.pipeline.outcomes import Outcomes, StreamOutcomes
from target_vitally.pipeline.plan_file import Facts, Part, logged_name, write_plan_file
from vitally_api import VitallyError, safe_name

MOST_TOGETHER = 100
"""Rows of a request to the Analytics API."""
MOST_DIFFERING = 12
"""Properties that are named as differing, the most frequent first."""


def table(streams: Mapping[str, StreamOutcomes], parts: Sequence[Part] = ()) -> str:
    """Draw the summary: a table of several lines, with reasons, differences and a plan below it."""
    rare = {"accepted", "not reached"}
    words = [w for w in OUTCOMES if w not in rare or any(c.outcomes[w] for c in streams.values())]
    rows = [["stream", "rows", *words, "requests"]]
    for name, counts in streams.items():
        numbers = [counts.read, *(counts.outcomes[outcome] for outcome in words), counts.requests]
        rows.append([safe_name(name), *(f"{number:,}" for number in numbers)])
    lines = drawn(rows, range(1, len(rows[0])))
    for name, counts in streams.items():
        lines += [f"{name}: {line}" for line in counts.reason_lines()]
        if counts.differing:
            most = counts.differing.most_common(MOST_DIFFERING)
            reported = ", ".join(f"{logged_name(prop)} ({n:,})" for prop, n in most)
            lines.append(f"{name}: properties that differ: {reported}")
        if counts.ways:
            ways = "; ".join(f"{way} ({n:,})" for way, n in counts.ways.most_common())
            lines.append(f"{name}: written {ways}")
        if counts.unknown:
            lines.append(f"{name}: about somebody unknown to this workspace ({counts.unknown:,})")
    for part in parts:
        refused = " (refused)" if part.refused else ""
        stream = safe_name(part.stream)
        lines += [f"{stream}: {part.action} {line}{refused}" for line in part.lines]
        if (rest := part.count - len(part.lines)) and part.lines:
            lines.append(f"{stream}: {part.action} {rest:,} more{refused}")
    return "\n".join(lines)


def failure_of(outcomes: Outcomes) -> str:
    """Return the error message of a run that finished, but with too many failed rows; else empty."""
    if outcomes.failing:
        total = outcomes.total
        return (
            f"{total['rejected']:,} rows were rejected and {total['uncertain']:,} are uncertain: see "
            "the summary above, results_file and rejects_file."
        )
    if outcomes.unmatched:
        return (
            f"Of {', '.join(map(safe_name, outcomes.unmatched))} no row matched a record, and mode update "
            "creates none: look at match, and at the column of the key."
        )
    return ""


def log_summary(
    logger: logging.Logger, outcomes: Outcomes, metrics: Mapping[str, float], mapped: set[str]
) -> None:
    """Log what the run did; ``mapped`` are the streams that were to be written, also those without a row."""
    settings = outcomes.settings
    empty = {name: StreamOutcomes() for name in sorted(mapped - outcomes.streams.keys())}
    streams = {**outcomes.streams, **empty}
    for name, counts in outcomes.streams.items():
        if counts.read and counts.outcomes["ignored"] == counts.read and name in mapped:
            reasons = ", ".join(why.removeprefix("ignored: ") for why in counts.reasons)
            logger.warning("%s: all of its rows were ignored (%s).", name, reasons)
    parts = outcomes.planned.parts if settings.dry_run else ()
    reported = table(streams, parts)
    what = "The plan; nothing was written" if settings.dry_run else "The summary of this run"
    logger.info("%s:\n%s", what, reported, extra={"summary": values(streams, metrics)})


def write_plan(outcomes: Outcomes, host: str, requests: int, per_minute: int | None) -> None:
    """Write ``plan_file``, if it is asked for; raise `VitallyError` where it cannot be written.

    ``requests`` are those that the run has sent, ``per_minute`` those that may be sent.
    """
    settings, planned = outcomes.settings, outcomes.planned
    facts = Facts(
        dry_run=settings.dry_run,
        host=host,
        outcomes=outcomes.total,
        requests=_planned_requests(outcomes) if settings.dry_run else requests,
        per_minute=per_minute,
        limit=settings.plan_limit,
    )
    try:
        if settings.plan_file:
            write_plan_file(settings.plan_file, planned.parts, facts)
    except OSError as error:
        raise VitallyError(
            f"plan_file cannot be written ({error.strerror}): the plan is in the log alone."
        ) from None
    finally:
        planned.close()


def _planned_requests(outcomes: Outcomes) -> int:
    """Return how many requests a plan takes; in bulk and for events one takes a hundred rows."""
    bulk = sum(counts.ways[IN_BULK] for counts in outcomes.streams.values())
    together = bulk + outcomes.total["accepted"]
    return outcomes.planned.requests - bulk - (-together // MOST_TOGETHER)


def values(streams: Mapping[str, StreamOutcomes], metrics: Mapping[str, float]) -> dict[str, Any]:
    """Return the summary as values, for machines that read the log."""
    return {
        "streams": {
            name: {
                "rows": counts.read,
                **{outcome: counts.outcomes[outcome] for outcome in OUTCOMES},
                **({"ways": dict(counts.ways)} if counts.ways else {}),
                **({"unknown": counts.unknown} if counts.unknown else {}),
            }
            for name, counts in streams.items()
        },
        **metrics,
    }
