"""The parts of docs/loaders.md, docs/sources.md and docs/names.md that are made of the results."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, Final

from field.loaders import UNFIT

RESULTS: Final = Path(__file__).parent / "results"
AS: Final = {
    "nested": "as it is",
    "flat": "flattened",
    "full": "flattened, every property in each record",
}
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
            _loads(one["runs"]),
            _second(one["runs"]),
            _changes(one["runs"]),
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


def schedulers() -> str:
    """Return what became of each recipe."""
    day, found = results("schedulers")
    rows = [(_release(name, one), text) for name, one in found.items() for text in _outcomes(one)]
    return f"Run on {day}.\n\n{_table(('recipe', 'what happened'), rows)}"


def workspaces() -> str:
    """Return what became of the twenty workspaces."""
    day, found = results("workspaces")
    rows = [
        (
            name,
            str(one["exit codes"])[1:-1],
            str(one["states"]),
            "yes" if one["each has its own rows"] else "**no**",
        )
        for name, one in found.items()
    ]
    first = found["one folder, three at once"]
    failed = ", ".join(f"`{name}`" for name in first["failed"])
    head = ("run", "exit code", "STATE ids", "each has its own rows and no others")
    ran = f"Twenty workspaces on {day}: {first['ok']} ok, and {failed}, whose key is wrong, named as failed."
    return f"{ran}\n\n{_table(head, rows)}"


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
    values = {
        name: words[value] if isinstance(value, bool) else value for name, value in found.items()
    }
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _named(name: str, one: Row) -> str:
    note = f", {one['note']}" if one["note"] else ""
    return f"{name} {one['version']}{note}"


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


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *(tuple(row) for row in rows)]
    lines.insert(1, tuple("---" for _ in lines[0]))
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )
