"""The failures a person can do something about, each with a message of one line.

Whatever is raised from here ends a run with that line and exit code 1, without a traceback.
No message holds the API key or a record's content.
"""

from __future__ import annotations


class TapFailure(Exception):  # noqa: N818 - a family name, as in the SDK's own exceptions
    """A failure whose message says what happened, where, and what to do."""


class Refused(TapFailure):
    """The API gave a final answer that is not data: 400, 401, 403, 404 and the like.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        """Keep the status beside the message.

        Args:
            message: One line for the person who runs the tap.
            status: The HTTP status of the answer.
        """
        super().__init__(message)
        self.status = status


class CursorRefused(Refused):
    """The API does not take a cursor that it gave: it has expired, or the list has changed."""


class Unreadable(TapFailure):
    """The API answered 200 with something that is not the data asked for, again and again."""


class Unavailable(TapFailure):
    """The API could not be reached, or failed on its side, for longer than the tap waits."""


class Cancelled(TapFailure):
    """The run was stopped while this work was waiting for its turn."""


def stopped() -> Cancelled:
    """Make the error that ends waiting work when the run is stopped.

    Returns:
        The error, to be raised.
    """
    return Cancelled("The run was stopped.")
