"""Which workspace STATE was written for, where the host alone does not say.

All workspaces of the eu data center share one host, and so may those behind a proxy. STATE
remembers a few accounts: ids that no other workspace has, and that stay when an API key is
replaced, which a digest of the key would not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

MOST_LATER = 2
"""Accounts remembered beside the one remembered longest: new ones are deleted again more often."""


class Identity:
    """Recognizes the workspace by its accounts.

    ``is_there`` looks an account up, which takes a request. It is asked only where none of the
    remembered accounts is the one that the first answer of a run brings anyway, which is the last
    that changed.
    """

    def __init__(self, is_there: Callable[[str], bool]) -> None:
        self._is_there = is_there
        self._first: str | None = None
        self._other: str | None = None
        self._found: dict[str, bool] = {}

    def begin(self, account: str | None) -> None:
        """Take in the account of the first answer; None if the workspace has none."""
        self._first = account
        if account:
            self._found[account] = True

    def note(self, account: str) -> None:
        """Take in the last account of a page: in a list that is read whole, in the end the oldest."""
        self._other = account
        self._found[account] = True

    def recognizes(self, accounts: Sequence[str] | None) -> bool:
        """Return False if STATE that remembers these accounts is of another workspace.

        None are those of STATE that remembers nothing, which is taken once.
        """
        if accounts is None:
            return True
        if not accounts:
            return self._first is None
        return any(map(self._found.get, accounts)) or any(map(self._look_up, accounts))

    def to_remember(self, accounts: Sequence[str] | None) -> list[str]:
        """Return the accounts to remember after those remembered until now, oldest first."""
        known = [each for each in accounts or () if self._found.get(each) is not False]
        ids = list(dict.fromkeys([*known, *filter(None, (self._other, self._first))]))
        return [*ids[:1], *ids[1:][-MOST_LATER:]]

    def _look_up(self, account: str) -> bool:
        if account not in self._found:
            self._found[account] = self._is_there(account)
        return self._found[account]
