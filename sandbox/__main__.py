"""Starts the sandbox from the command line: ``python -m sandbox``."""

from __future__ import annotations

import argparse
import gc
import signal
import threading
from contextlib import ExitStack
from pathlib import Path

from sandbox.clock import Clock
from sandbox.fake_values import fake_values
from sandbox.rate import Rate
from sandbox.server import serve
from sandbox.world import World


def arguments() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A Vitally REST API on loopback, with made-up data."
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default) is any free port")
    parser.add_argument("--port-file", type=Path, help="write the port here once it answers")
    parser.add_argument("--key", default="sandbox", help="the API key to accept")
    parser.add_argument(
        "--analytics-key", default="sandbox-analytics", help="the token of the Analytics API"
    )
    parser.add_argument(
        "--analytics-limit",
        type=int,
        help="requests of the Analytics API per window; any by default",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--accounts", type=int, default=50, help="the rest is in proportion")
    parser.add_argument(
        "--empty", action="store_true", help="no customers, only what the app alone edits"
    )
    parser.add_argument(
        "--size",
        action="append",
        default=[],
        type=size,
        metavar="RESOURCE=N",
        help="rows of one resource, such as users=100000; repeatable",
    )
    parser.add_argument(
        "--plain-traits", action="store_true", help="no values that only some programs can hold"
    )
    parser.add_argument("--latency", type=float, default=0.0, help="seconds per request")
    parser.add_argument("--rate-model", choices=("none", "sliding", "bucket"), default="sliding")
    parser.add_argument("--limit", type=int, default=1000, help="requests per window")
    parser.add_argument("--window", type=float, default=60.0, help="seconds")
    parser.add_argument("--retry-after", action="store_true", help="send it with a 429")
    parser.add_argument("--no-gzip", action="store_true", help="never compress")
    parser.add_argument("--clock-offset", type=float, default=0.0, help="seconds fast")
    return parser


def size(text: str) -> tuple[str, int]:
    """Read ``users=100000``."""
    resource, _, number = text.partition("=")
    return resource, int(number)


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = arguments()
    args = parser.parse_args()
    gc.disable()
    if args.plain_traits:
        fake_values(args.seed).leave_out_odd_traits()
    try:
        clock = Clock(offset=args.clock_offset)
        sizes = {"customObjects": 0, "surveys": 0} if args.empty else {}
        accounts = 0 if args.empty else args.accounts
        world = World(args.seed, accounts, clock, {**sizes, **dict(args.size)})
    except ValueError as error:
        parser.error(str(error))
    gc.freeze()  # a million rows are no garbage: the collector need not look at them, ever
    gc.enable()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rate = None
    if args.rate_model != "none":
        rate = Rate(args.rate_model, args.limit, args.window, args.retry_after)
    options = {"key": args.key, "latency": args.latency, "gzip": not args.no_gzip}
    options |= {"analytics_key": args.analytics_key}
    if args.analytics_limit:
        options["analytics_rate"] = Rate(limit=args.analytics_limit, window=args.window)
    with ExitStack() as running:
        try:
            sandbox = running.enter_context(serve(world, port=args.port, rate=rate, **options))
        except OSError as error:
            parser.error(f"cannot listen on port {args.port}: {error.strerror}")
        if args.port_file:
            args.port_file.write_text(sandbox.url.rpartition(":")[2], encoding="utf-8")
        surveys = ", ".join(world.ids("surveys")) or "none"
        print(f"Vitally sandbox on {sandbox.url} (key: {args.key}, surveys: {surveys})", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
