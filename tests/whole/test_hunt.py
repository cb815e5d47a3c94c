"""Nothing is lost, whatever happens: random histories, and one that once lost something.

Histories about passes that were broken off are in `tests/whole/test_resume.py`, and those about
what was deleted in `tests/whole/test_inventory.py`.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings

from harness.support import Warehouse, config_for, read
from sandbox import Entry, World, serve
from tests.whole.scenarios import LossHunt

TestNothingIsLost = LossHunt.TestCase
TestNothingIsLost.settings = settings(
    max_examples=15,
    stateful_step_count=6,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_what_goes_from_a_long_list_to_a_short_one_is_brought(concurrency: int) -> None:
    """The short list had been read before, and only the long one was looked at again."""
    with serve(World(seed=4, accounts=4, sizes={"notes": 12})) as sandbox:
        world = sandbox.world
        for key in world.ids("notes"):
            if world.row("notes", key)["archivedAt"]:
                world.unarchive("notes", key)
        oldest = world.ids("notes")[0]
        short_list_read = False

        def archive_the_last_one(entry: Entry) -> None:
            nonlocal short_list_read
            short_list_read |= "archived=true" in entry.query
            if entry.number == 6:
                world.archive("notes", oldest)

        sandbox.before_request = archive_the_last_one
        config = config_for(sandbox.url, concurrency=concurrency, page_size=2)
        warehouse = Warehouse()
        warehouse.load(read(config, select=["notes"]))
        assert short_list_read
        assert warehouse.differences("notes", world.expected_rows("notes")) == {}
