"""Run the programs of others: ``python -m field``, or ``python -m field loaders sources``."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from field.parts import PARTS, run_part
from field.programs import FieldError

AT_ONCE: Final = 2
"""Parts that run at once: most of them are one program at a time, and a machine has two cores or more."""


def main() -> int:
    """Run what is asked for, and write what was found into the results."""
    parser = argparse.ArgumentParser(prog="python -m field", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"some of {', '.join(PARTS)}; all by default")
    parser.add_argument(
        "--only",
        default="",
        help="run only programs in whose name this stands, and print what they did",
    )
    args = parser.parse_args()
    unknown = set(args.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    began = os.times()
    with (
        tempfile.TemporaryDirectory(prefix="field-") as name,
        # Processes: the lock of the PostgreSQL server from a wheel is not for several threads.
        ProcessPoolExecutor(AT_ONCE, get_context("spawn"), max_tasks_per_child=1) as pool,
    ):
        started = [
            pool.submit(run_part, part, Path(name) / part, args.only)
            for part in args.parts or PARTS
        ]
        try:
            changed = [part.result() for part in started]
        except FieldError as error:
            pool.shutdown(cancel_futures=True)
            print(error, file=sys.stderr)
            return 1
    ended = os.times()  # the processes have ended, and count
    cpu = sum(ended[:4]) - sum(began[:4])
    print(f"{ended.elapsed - began.elapsed:.0f} s, {cpu:.0f} s of CPU")
    return int(any(changed))


if __name__ == "__main__":
    sys.exit(main())
