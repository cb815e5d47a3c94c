"""Running the target in this process: rows in, what became of them out."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from target_vitally.mapping.stream_mapping import MappingError
from target_vitally.pipeline.workers import RunAborted
from target_vitally.target import TargetVitally
from vitally_api import VitallyError

Row = dict[str, Any]
PATIENCE = 2.0


class WithSandbox(Protocol):
    """Where there is something to write to."""

    url: str


def hasty_target(config: Row) -> TargetVitally:
    """Return a target that gives up soon, so that what is broken does not keep the tests."""
    target = TargetVitally(config=config)
    target.policy = replace(target.policy, patience=PATIENCE, first_patience=PATIENCE)
    return target


@dataclass
class Outcome:
    """What a run of the target came to."""

    states: list[Any]
    results: list[Row]
    rejects: list[Row]
    failure: str = ""
    summary: Any = field(default=None)

    @property
    def words(self) -> list[str]:
        """The outcomes in the order of the rows."""
        return [line["outcome"] for line in sorted(self.results, key=lambda line: line["row"])]

    @property
    def reasons(self) -> str:
        """Every reason, one after the other."""
        return "; ".join(line.get("reason", "") for line in self.results)


def schema(stream: str, rows: list[Row], keys: list[str] | None = None) -> Row:
    """Make the SCHEMA that rows need."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"properties": {name: {} for name in names}},
        "key_properties": keys or [],
    }


def messages(**streams: list[Row]) -> list[Row]:
    """Make an input of streams and their rows, with a STATE at its end."""
    found: list[Row] = []
    for stream, rows in streams.items():
        found.append(schema(stream, rows))
        found += [{"type": "RECORD", "stream": stream, "record": row} for row in rows]
    return [*found, {"type": "STATE", "value": {"end": True}}]


def write(here: WithSandbox, said: list[Row] | str, **settings: Any) -> Outcome:
    """Run the target over messages."""
    text = said if isinstance(said, str) else "\n".join(map(json.dumps, said)) + "\n"
    with TemporaryDirectory() as folder, redirect_stdout(io.StringIO()) as printed:
        results, rejects = Path(folder, "results.jsonl"), Path(folder, "rejects.jsonl")
        config = {
            "api_key": "sandbox",
            "api_url": here.url,
            "first_push": True,
            "max_deletes": 100,
            "results_file": str(results),
            "rejects_file": str(rejects),
            **settings,
        }
        failure = ""
        target = hasty_target(config)
        try:
            target.write_all(io.StringIO(text))
        except (VitallyError, RunAborted, MappingError) as error:
            failure = str(error)
        return Outcome(
            [json.loads(line) for line in printed.getvalue().splitlines()],
            _lines(results),
            _lines(rejects),
            failure,
        )


def _lines(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
