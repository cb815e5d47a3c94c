"""The parts of docs/loaders.md, docs/sources.md and docs/names.md that are made of the results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Final

from field.loaders import UNFIT
from field.loading import COLUMNS, RUNS

RESULTS: Final = Path(__file__).parent / "results"
AS: Final = {
    "nested": "as it is",
    "flat": "flattened",
    "full": "flattened, every property in each record",
}
SECOND: Final = {True: "yes", False: "**no**", None: "not run"}
KINDS: Final = ("date-time", "date", "number", "integer", "boolean", "string", "object", "array")

Row = dict[str, Any]


def results(part: str) -> tuple[str, dict[str, Row]]:
    """Return the day of the last run, as people write it, and what each program did."""
    data = json.loads((RESULTS / f"{part}.json").read_text(encoding="utf-8"))
    day = date.fromisoformat(data["date"])
    return f"{day.day} {day:%B %Y}", data["programs"]


def loaders() -> str:
    """Return what each loader does with the rows, one line each."""
    day, found = results("loaders")
    rows = [
        (
            _named(name, one),
            AS[one["shape"]],
            _loads(_of(one, RUNS)),
            _second(one["runs"]),
            _changes(_of(one, RUNS)),
            _as_columns(_of(one, COLUMNS)),
            _ended(one["SIGTERM to the loader"]),
            _batch(one["BATCH"]),
        )
        for name, one in found.items()
    ]
    head = (
        "loader",
        "the stream",
        "loads",
        "second run",
        "values",
        "a column for each custom field",
        "SIGTERM to the loader",
        "BATCH",
    )
    return f"Run on {day}.\n\n{_table(head, rows)}"


def names() -> str:
    """Return what columns are called, and of what type they are."""
    _, found = results("loaders")
    rows = [
        (
            name,
            f"`{one['names']['createdAt']}`",
            *(_types(one["types"].get(kind)) for kind in KINDS),
        )
        for name, one in found.items()
        if one["types"]
    ]
    return _table(("loader", "`createdAt`", *KINDS), rows)


def columns() -> str:
    """Return what a column is called, with every loader that was run."""
    _, found = results("loaders")
    rows = ((name, f"`{one['names']['createdAt']}`") for name, one in found.items())
    return _table(("loader", "`createdAt` becomes"), rows)


def unfit() -> str:
    """Return the loaders that are not fit, with the reason."""
    return _table(("not fit", "why"), UNFIT.items())


def sources() -> str:
    """Return what each tap sends of the same table."""
    day, found = results("sources")
    wanted = [name for name in next(iter(found.values()))["columns"] if name != "company"]
    rows = [
        (
            f"{name.partition(',')[0]} {one['version']}",
            one["reads"],
            f"`{one['stream']}`",
            ", ".join(f"`{key}`" for key in one["key"]) or "none",
            *(_sent(one["columns"][column]) for column in wanted),
        )
        for name, one in found.items()
    ]
    head = ("tap", "reads", "stream", "key", *(f"`{name}`" for name in wanted))
    return f"Run on {day}.\n\n{_table(head, rows)}"


def written() -> str:
    """Return what target-vitally made of it."""
    _, found = results("sources")
    rows = [
        (
            name,
            str(one["in Vitally"]["accounts"]),
            str(one["in Vitally"]["names as they were"]),
            *(str(run["writes"]) for run in one["runs"]),
            *(
                f"`{json.dumps(one['in Vitally']['traits'].get(trait))}`"
                for trait in ("arr", "active", "since")
            ),
        )
        for name, one in found.items()
    ]
    head = (
        "tap",
        "accounts",
        "names unchanged",
        "writes of the first run",
        "of the second",
        "`arr`",
        "`active`",
        "`since`",
    )
    return _table(head, rows)


def odd_rows() -> str:
    """Return what becomes of types that not every database has, a table for each database."""
    _, found = results("sources")
    tables = []
    for held in dict.fromkeys(one["reads"] for one in found.values() if "odd rows" in one):
        taps = {name: one["odd rows"] for name, one in found.items() if one["reads"] == held}
        names = list(next(iter(taps.values()))["columns"])
        rows = [
            (
                f"`{next(iter(taps.values()))['columns'][name]['declared']}`",
                *(_became(one["columns"][name]) for one in taps.values()),
            )
            for name in names
        ]
        head = (held, *(name.partition(",")[0] for name in taps))
        tables.append(_table(head, rows))
    return "\n\n".join(tables)


def schedulers() -> str:
    """Return what became of each recipe."""
    day, found = results("schedulers")
    rows = [(_release(name, one), text) for name, one in found.items() for text in _outcomes(one)]
    return f"Run on {day}.\n\n{_table(('recipe', 'what happened'), rows)}"


def workspaces() -> str:
    """Return what became of the twenty workspaces in each way to run them."""
    day, found = results("workspaces")
    rows = [
        (
            _release(name, one),
            one.get("run") or f"exit code {' and '.join(map(str, one['exit codes']))}",
            f"{one['ok']} ok, failed: {', '.join(f'`{one}`' for one in one['failed']) or 'none'}",
            str(one["states"]),
            _at_once(one),
            "yes" if one["each has its own rows"] else "**no**",
            SECOND[one.get("the second run brings only what changed")],
        )
        for name, one in found.items()
    ]
    head = (
        "way",
        "ended",
        "workspaces",
        "STATE ids",
        "runs at once, at most",
        "each has its own rows and no others",
        "a second run brings only what changed",
    )
    return f"Run on {day}.\n\n{_table(head, rows)}"


def _at_once(one: Row) -> str:
    smaller = one.get("at once with a smaller pool")
    return f"{one['at once']}" + (f"; {smaller} with a pool of 2" if smaller else "")


def _release(name: str, one: Row) -> str:
    return name if "version" not in one else f"{name.rstrip(' 34')} {one['version']}"


def _outcomes(one: Row) -> Iterable[str]:
    plain = {name: value for name, value in one.items() if not isinstance(value, dict | list)}
    plain.pop("version", None)
    if plain:
        yield _in_words(plain)
    for name, value in one.items():
        if isinstance(value, dict):
            yield f"{name}: {_in_words(value)}"
        if isinstance(value, list):
            yield from (
                f"{name}, run {number}: {_in_words(run)}" for number, run in enumerate(value, 1)
            )


def _in_words(found: Row) -> str:
    words = {True: "yes", False: "no"}
    return ", ".join(
        f"{name}: {words[value]}" if isinstance(value, bool) else f"{name} {value}"
        for name, value in found.items()
    )


def _named(name: str, one: Row) -> str:
    note = f", {one['note']}" if one["note"] else ""
    return f"{name} {one['version']}{note}"


def _of(one: Row, names: Iterable[str]) -> Row:
    return {name: one["runs"][name] for name in names}


def _as_columns(runs: Row) -> str:
    """Return what becomes of columns for custom fields, and of fields whose type changes."""
    first, other = runs.values()
    if first["exit code"]:
        return f"exit {first['exit code']}"
    if other["exit code"]:
        return f"loads; exit {other['exit code']} once a field has another type"
    return f"{_loads(runs)}; {_changes(runs)}"


def _loads(runs: Row) -> str:
    failed = [f"{name}: exit {one['exit code']}" for name, one in runs.items() if one["exit code"]]
    lost = {one["keys"] for one in runs.values()} - {"all"}
    return "; ".join(failed) or ("**not all**" if lost else "all")


def _second(runs: Row) -> str:
    return "updates" if runs["awkward"]["rows"] == "one for each key" else "appends"


def _changes(runs: Row) -> str:
    found = {change: column for one in runs.values() for change, column in one["changes"].items()}
    return (
        "; ".join(f"{change} (`{column}`)" for change, column in sorted(found.items()))
        or "none changed"
    )


def _ended(one: Row) -> str:
    more = ", **which promises more**" if one.get("STATE promises more") else ""
    if one["exit code"] == 0:
        return f"0: stores what it has read, and its STATE{more}"
    kept = "keeps a part" if one["keys"] else "keeps nothing"
    state = "STATE of a part" if one["STATE"] else "no STATE"
    return f"{one['exit code']}: {kept}, {state}{more}"


def _batch(one: Row) -> str:
    if one["exit code"]:
        return f"exit {one['exit code']}"
    return "loads" if one["rows"] else "**exit 0, no rows**" + (", STATE" if one["STATE"] else "")


def _types(found: Iterable[str] | None) -> str:
    return ", ".join(found or ("-",))


def _sent(column: Row) -> str:
    return f"{column['type']}: `{column['value']}`" if column["type"] != "not sent" else "not sent"


def _became(column: Row) -> str:
    if column["type"] == "not sent":
        return "not sent"
    held = json.dumps(column["in Vitally"], ensure_ascii=False, separators=(",", ":"))
    other = f"; in Vitally `{held}`" if held != column["value"] else ""
    return f"{column['type']}: `{column['value']}`{other}"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *(tuple(row) for row in rows)]
    lines.insert(1, tuple("---" for _ in lines[0]))
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
