"""The tests' Python, ``-m MODULE ...`` or ``-c CODE ...``, where tap and target are imported already."""

from __future__ import annotations

import os
import runpy
import sys

import tap_vitally.command
import tap_vitally.terminal
import target_vitally.command
import target_vitally.target

IMPORTED = (
    tap_vitally.command,
    tap_vitally.terminal,
    target_vitally.command,
    target_vitally.target,
)


def main() -> None:
    """Do what Python does with the option."""
    option, program, *arguments = sys.argv[1:]
    sys.argv = [program if option == "-m" else option, *arguments]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - a text
    if option == "-m":
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102


if __name__ == "__main__":
    main()
