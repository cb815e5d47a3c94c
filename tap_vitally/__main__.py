"""The command ``tap-vitally``, which is ``python -m tap_vitally`` as well."""

import gc
import signal


def main() -> None:
    """Run the tap.

    Nothing that is imported is ever garbage: to look for some, while it is loaded and again at the
    end, would take a fifth of the time that the tap needs to start.
    """
    # Until the tap knows how to end, Ctrl-C ends it without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()
    from tap_vitally.command import failures_in_one_line  # noqa: PLC0415 - after the above
    from tap_vitally.terminal import command  # noqa: PLC0415

    gc.freeze()
    gc.enable()
    with failures_in_one_line():
        command()()


if __name__ == "__main__":
    main()
