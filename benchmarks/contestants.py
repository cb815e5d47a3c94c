"""Who is measured, and how each of them is told what to read."""

from __future__ import annotations

import json
import shutil
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.processes import ROOT

if TYPE_CHECKING:
    from benchmarks.processes import Output

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

RESOURCES = {
    "accounts": "accounts",
    "organizations": "organizations",
    "users": "users",
    "conversations": "conversations",
    "notes": "notes",
    "tasks": "tasks",
    "projects": "projects",
    "nps_responses": "npsResponses",
    "meetings": "meetings",
}
"""The streams of the whole workspace that all contestants have, and what they are called there."""

STREAMS = (*RESOURCES, "account_notes", "messages")
ARCHIVING = ("notes", "tasks", "projects", "meetings")
CONCURRENCY = 8

BASELINES = Path("benchmarks/baselines")
VENVS = ROOT / ".venvs"


@dataclass(frozen=True)
class Task:
    """What to read."""

    url: str
    streams: tuple[str, ...]
    archived: bool = True
    """Whether to read what is archived."""
    state: Any = None
    """What the contestant kept of an earlier run, if it goes on from there."""

    @property
    def config(self) -> dict[str, Any]:
        """The settings, by the names they have in the tap."""
        return {"api_key": "sandbox", "api_url": self.url, "include_archived": self.archived}


@dataclass(frozen=True)
class Contestant(ABC):
    """A program that reads the API."""

    name: str
    """What it is called in the table."""
    program: tuple[str, ...]
    """The beginning of its command."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Additions to its environment."""

    @abstractmethod
    def command(self, folder: Path, task: Task) -> list[str]:
        """Prepare a run."""

    def written(self, folder: Path) -> list[Path]:
        """Say in which files a run left a record a line: by default its standard output."""
        return [folder / "output"]

    def keep(self, folder: Path, output: Output) -> Any:
        """Keep what it needs to go on from here: by default the last state that it wrote."""
        del folder
        return output.state


def options(folder: Path, **files: Any) -> list[str]:
    """Write JSON files by name, and return the options that name them."""
    named: list[str] = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        named += [f"--{name}", str(path)]
    return named


@dataclass(frozen=True)
class Singer(Contestant):
    """A tap."""

    settings: Mapping[str, Any] = field(default_factory=dict)

    @override
    def command(self, folder: Path, task: Task) -> list[str]:
        discovered = json.loads((folder / "discovered.json").read_text(encoding="utf-8"))
        entries = [each for each in discovered["streams"] if each["stream"] in STREAMS]
        for entry in entries:
            for item in entry["metadata"]:
                if not item["breadcrumb"]:
                    item["metadata"]["selected"] = entry["stream"] in task.streams
        files: dict[str, Any] = {
            "config": {**task.config, **self.settings},
            "catalog": {"streams": entries},
        }
        if task.state is not None:
            files["state"] = task.state
        return [*self.program, *options(folder, **files)]


@dataclass(frozen=True)
class Airbyte(Contestant):
    """A low-code manifest."""

    concurrency: int = CONCURRENCY
    """How many threads it has."""
    feed: bool = False
    """Whether it may stop at the first row that it has seen, by trust in the order."""

    @override
    def command(self, folder: Path, task: Task) -> list[str]:
        manifest = (ROOT / BASELINES / "airbyte.yaml").read_text(encoding="utf-8")
        if self.feed:
            manifest = manifest.replace("is_client_side_incremental", "is_data_feed")
        path = folder / "manifest.yaml"
        path.write_text(manifest, encoding="utf-8")
        files = {
            "config": {**task.config, "concurrency": self.concurrency},
            "catalog": {"streams": [_configured(name) for name in task.streams]},
        }
        if task.state is not None:
            files["state"] = task.state
        return [
            *self.program,
            *("read", "--manifest-path", str(path)),
            *options(folder, **files),
        ]


def _configured(stream: str) -> dict[str, Any]:
    mode = "full_refresh" if stream == "messages" else "incremental"
    described = {"name": stream, "json_schema": {}, "supported_sync_modes": [mode]}
    return {"stream": described, "sync_mode": mode, "destination_sync_mode": "append"}


@dataclass(frozen=True)
class Dlt(Contestant):
    """A pipeline into files, which keeps its state in a folder."""

    options: tuple[str, ...] = ()

    @override
    def command(self, folder: Path, task: Task) -> list[str]:
        home = folder / "dlt"
        shutil.rmtree(home, ignore_errors=True)
        if task.state is not None:
            shutil.copytree(task.state, home)
            # What it wrote then is not what it writes now.
            for path in self.written(folder):
                path.unlink()
        archived = ["--archived"] if task.archived else []
        streams = ["--streams", *task.streams]
        return [*self.program, task.url, str(home), *self.options, *archived, *streams]

    @override
    def written(self, folder: Path) -> list[Path]:
        return list(folder.glob("dlt/files/*/[!_]*/*.jsonl"))

    @override
    def keep(self, folder: Path, output: Output) -> Any:
        kept = folder / f"kept by {self.name}"
        return shutil.copytree(folder / "dlt", kept)


@dataclass(frozen=True)
class Floor(Contestant):
    """A bare loop over whole lists."""

    @override
    def command(self, folder: Path, task: Task) -> list[str]:
        lists = [
            f"{task.url}/resources/{RESOURCES[stream]}?limit=100"
            + ("&archived=false" if stream in ARCHIVING else "")
            for stream in task.streams
        ]
        return [*self.program, *lists]


_MANIFEST = (str(VENVS / "airbyte-cdk/bin/source-declarative-manifest"),)
_PIPELINE = (str(VENVS / "dlt/bin/python"), str(BASELINES / "dlt_source.py"))
_FIVE_WORKERS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
}
_AS_MANY_WORKERS = _FIVE_WORKERS | {"EXTRACT__WORKERS": str(CONCURRENCY)}

TAP = Singer("tap", (sys.executable, "-m", "tap_vitally"), settings={"concurrency": CONCURRENCY})
PLAIN = Singer("plain", (sys.executable, "-m", "benchmarks.baselines.plain_sdk"))
AIRBYTE = Airbyte("airbyte", _MANIFEST)
AIRBYTE_TWO = Airbyte("airbyte, 2 threads", _MANIFEST, concurrency=2)
AIRBYTE_FEED = Airbyte("airbyte, data feed", _MANIFEST, feed=True)
DLT = Dlt("dlt", _PIPELINE, _AS_MANY_WORKERS)
DLT_FIVE = Dlt("dlt, 5 workers", _PIPELINE, _FIVE_WORKERS)
DLT_WHOLE = Dlt("dlt", _PIPELINE, _AS_MANY_WORKERS, ("--incremental", "none"))
DLT_ORDERED = Dlt("dlt, row order", _PIPELINE, _AS_MANY_WORKERS, ("--incremental", "desc"))
FLOOR = Floor("floor", (sys.executable, "-m", "benchmarks.baselines.floor"))

ALL: tuple[Contestant, ...] = (TAP, PLAIN, AIRBYTE, DLT)
