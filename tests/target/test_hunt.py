"""Random tables under random faults: nothing twice, nothing missing, nothing stale, sums that add up."""

from __future__ import annotations

from random import Random

import pytest

from soak.writing import invented, loss_in


@pytest.mark.parametrize("seed", range(1000, 1012))
def test_what_the_rows_said_is_there_once(seed: int) -> None:
    loss = loss_in(invented(Random(seed)))
    if loss:
        raise loss
