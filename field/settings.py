"""Ask each loader to paste which settings it has: a name in the page that it does not know sets nothing."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from field.programs import Row, program, run, version
from field.runners import EXAMPLES
from field.servers import Servers

ABOUT = ("--about", "--format=json")


def ask_all(_: Servers, folder: Path, only: str = "") -> Row:
    """Return the settings of each loader in docs/examples/loaders.yml, by its package.

    Those that are not built with the Singer SDK say nothing of theirs; they are run.
    """
    pasted = yaml.safe_load((EXAMPLES / "loaders.yml").read_text(encoding="utf-8"))
    results: Row = {}
    for loader in pasted["plugins"]["loaders"]:
        package = loader["pip_url"].partition("==")[0]
        if only not in package:
            continue
        print(f"  {package}", flush=True)
        done = run([program(loader["name"]), *ABOUT], folder=folder)
        if done.code == 0:
            found = json.loads(done.out)["settings"]["properties"]
            results[package] = {
                "version": version(package, loader["name"]),
                "settings": sorted(found),
            }
    return results
