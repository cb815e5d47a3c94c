"""The errors that a request to Vitally may raise.

Every message is one line for the person who runs the program: what happened, where, what to do.
None holds the API key or a record's content.
"""

from __future__ import annotations

from vitally_api.statuses import StatusClass, classify


class VitallyError(Exception):
    """A failure whose message says what happened, where, and what to do."""


class Refused(VitallyError):
    """The API gave a final answer that is not data."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status

    @property
    def missing(self) -> bool:
        """True if the resource does not exist, or is not in the plan."""
        return classify(self.status) is StatusClass.MISSING


class KeyRefused(VitallyError):
    """The API does not accept the key, so that all other requests would be refused, too."""


class CursorRefused(Refused):
    """The API refuses a cursor that it returned before: it has expired, or the list has changed."""


class Unreadable(VitallyError):
    """The API answered 2xx with a body that cannot be used, in every try."""


class UnexpectedShape(Unreadable):
    """The API answered 2xx with JSON that does not have the expected structure."""


class Unavailable(VitallyError):
    """The API could not be reached, or failed on its side, for longer than the policy waits."""


class RateLimited(Unavailable):
    """The API's rate limit let no request through for longer than the policy waits."""


class WriteOutcomeUnknown(Unavailable):
    """A request that may not be repeated got no usable answer: it may have been carried out."""


class Cancelled(VitallyError):
    """The run was stopped while a request waited for the rate limit or a retry."""

    def __init__(self) -> None:
        super().__init__("The run was stopped.")


class SettingsError(ValueError):
    """Settings that are missing or not valid; ``problems`` has a line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
