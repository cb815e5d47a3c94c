"""Makes the rows of each resource; a resource comes after those that its rows refer to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandbox.factories import custom, customers, talks, tasks, work
from sandbox.factories.random_values import Factory

FACTORIES: Final[Mapping[str, Factory]] = {
    **customers.FACTORIES,
    **work.FACTORIES,
    **talks.FACTORIES,
    **tasks.FACTORIES,
    **custom.FACTORIES,
}
