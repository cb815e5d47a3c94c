"""Run dbt in one process, as often as standard input asks, by the Python of dbt's own environment.

A start of dbt takes 3 s of CPU and parsing the package 6, building its 65 models 4. So what was parsed is
used again, as dbt's documentation of programmatic invocations describes it. A line of standard input is
JSON with `arguments`, `environment` and `parsed_for`, a text that differs where the project has to be parsed
anew; a line of standard output tells `success` and what dbt `said`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

ANSWER = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # where dbt prints

from dbt.cli.main import dbtRunner  # noqa: E402 - it prints from its first import on


def run(manifests: dict[str, Any], request: dict[str, Any]) -> dict[str, Any]:
    """Run a command, and return its answer."""
    os.environ.update(request["environment"])
    arguments, parsed_for = request["arguments"], request["parsed_for"]
    if parsed_for not in manifests:
        folders = arguments[arguments.index("--project-dir") :]
        parsed = dbtRunner().invoke(
            ["--log-level", "none", "--no-write-json", "parse", "--no-partial-parse", *folders]
        )
        if not parsed.success:
            return {"success": False, "said": str(parsed.exception)}
        manifests[parsed_for] = parsed.result
        gc.freeze()
    lines: list[str] = []

    def listen(event: Any) -> None:
        if event.info.level != "debug":
            lines.append(event.info.msg)

    runner = dbtRunner(manifest=manifests[parsed_for], callbacks=[listen])
    # To write down what it knows of all models, which nothing reads here, took a seventh of each run.
    done = runner.invoke(["--log-level", "none", "--no-write-json", *arguments])
    if "dbt.adapters.duckdb.connections" in sys.modules:
        _close_duckdb(sys.modules["dbt.adapters.duckdb.connections"].DuckDBConnectionManager)
    gc.collect()
    if isinstance(done.result, list):
        lines = done.result
    if done.exception:
        lines.append(str(done.exception))
    return {"success": done.success, "said": "\n".join(lines)}


def _close_duckdb(manager: Any) -> None:
    """Let go of the file, which dbt holds until its process ends: the tests read it."""
    if manager._ENV:
        manager._ENV.close()
    manager.close_all_connections()


if __name__ == "__main__":
    # What dbt leaves behind is collected after each run: to look for it all the time took a seventh of them.
    gc.disable()
    known: dict[str, Any] = {}
    for line in sys.stdin:
        print(json.dumps(run(known, json.loads(line))), file=ANSWER, flush=True)
