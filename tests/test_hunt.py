"""Nothing is lost, whatever happens: random histories, and those that once lost something."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

from tests.hunt import LossHunt

TestNothingIsLost = LossHunt.TestCase
TestNothingIsLost.settings = settings(
    max_examples=25,
    stateful_step_count=6,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate, Phase.shrink],
)
