"""Meltano projects as the pages have them, and programs that are ended in the middle of a run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import requests
import yaml

from demo.processes import ROOT, Vitally
from field.programs import Done, FieldError, program
from field.servers import ENDED_SECONDS

EXAMPLES: Final = ROOT / "docs" / "examples"
RUN: Final = ("run", "tap-vitally", "target-jsonl")


def project(
    folder: Path, example: str = "meltano.yml", url: str = "", loader: str = "target-jsonl"
) -> Path:
    """Lay out the project of a page with a loader to paste, everything installed already."""
    folder.mkdir(parents=True, exist_ok=True)
    content = yaml.safe_load((EXAMPLES / example).read_text(encoding="utf-8"))
    (extractor,) = content["plugins"]["extractors"]
    del extractor["pip_url"]
    extractor["executable"] = program("tap-vitally")
    if url:
        extractor["config"] = {"api_key": "sandbox", "api_url": url}
    pasted = yaml.safe_load((EXAMPLES / "loaders.yml").read_text(encoding="utf-8"))
    loaders = content["plugins"]["loaders"] + pasted["plugins"]["loaders"]
    chosen = next(one for one in loaders if one["name"] == loader)
    del chosen["pip_url"]
    chosen["executable"] = program(loader)
    content["plugins"]["loaders"] = [chosen]
    del content["requires_meltano"]  # the release before is tried, too
    (folder / "meltano.yml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


def variables(within: str = "meltano", **more: str) -> dict[str, str]:
    """Return the environment in which a shell finds the programs by their names."""
    names = [
        Path(program("meltano", within)).parent,
        *(Path(program(name)).parent for name in ("tap-vitally", "target-jsonl")),
    ]
    return {
        **os.environ,
        "PATH": ":".join([*map(str, names), os.environ["PATH"]]),
        "NO_COLOR": "1",
        **more,
    }


def shell_block(page: str, begins: str) -> str:
    """Return the one block of commands of a page that begins with some text."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if block.startswith(begins))
    return str(found)


def ended(command: list[str], number: int, vitally: Vitally, at: int, **how: Any) -> Done:
    """Start a program, send it a signal once ``at`` requests have come in, and return its end."""
    vitally.requests_made()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, **how
    )
    try:
        until = time.monotonic() + ENDED_SECONDS
        while asked(vitally) < at:
            if process.poll() is not None or time.monotonic() > until:
                msg = f"{command[0]} ended before it could be ended"
                raise FieldError(msg)
            time.sleep(0.05)
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(ENDED_SECONDS)
            os.killpg(process.pid, signal.SIGTERM)  # what it has started runs on otherwise
        out, _ = process.communicate(timeout=ENDED_SECONDS)
    finally:
        process.kill()
    return Done(process.returncode, "", out.decode(errors="replace"))


def asked(vitally: Vitally) -> int:
    """Return how many requests have come in since the count began."""
    count: int = requests.get(f"{vitally.url}/control/requests", timeout=60).json()["count"]
    return count


def sh(script: str, folder: Path, environment: Mapping[str, str]) -> Done:
    """Run a script as a reader does who has saved it."""
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)
