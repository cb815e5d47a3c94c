"""The files that a run writes: each is another one, and none is the input."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from target_vitally.pipeline.settings import Settings
from vitally_api import VitallyError

NAMES = ("rejects_file", "results_file", "undo_file", "plan_file")


def check_files(settings: Settings, source: IO[str] | None) -> None:
    """Raise `VitallyError` for a file that would be emptied while something else needs it."""
    known: dict[str, str] = {}
    for name in NAMES:
        path = getattr(settings, name)
        if not path:
            continue
        # undo_file is fed back while it is set: it is renamed before anything is written.
        if source and name != "undo_file" and _same_file(path, source.name):
            msg = f"{name} is the file given with --input: it would be emptied before it is read"
            raise VitallyError(msg)
        for other, its_path in known.items():
            if _same_file(path, its_path):
                msg = f"{name} and {other} are one file: each needs its own"
                raise VitallyError(msg)
        known[name] = path


def _same_file(path: str, name: str) -> bool:
    try:
        return Path(path).samefile(name)
    except OSError:
        return Path(path).resolve() == Path(name).resolve()
