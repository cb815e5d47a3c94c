"""The command ``target-vitally``, which is ``python -m target_vitally`` as well."""

import signal


def main() -> None:
    """Run the target."""
    # Until the target knows how to end, Ctrl-C ends it without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from target_vitally.command import failures_in_one_line  # noqa: PLC0415 - after the above
    from target_vitally.target import TargetVitally  # noqa: PLC0415

    with failures_in_one_line():
        TargetVitally.cli()


if __name__ == "__main__":
    main()
