"""How a configuration is refused."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_vitally.tap import TapVitally
from vitally_api import SettingsError


def refusal(config: dict[str, Any]) -> list[str]:
    """The problems with a configuration, each one line."""
    with pytest.raises(SettingsError) as caught:
        TapVitally(config=config, validate_config=False)._check_settings()
    assert str(caught.value) == "; ".join(caught.value.problems)
    assert not any("\n" in problem for problem in caught.value.problems)
    return caught.value.problems


def refusal_of_the_tap(config: dict[str, Any]) -> str:
    """What the operator is told, before anything is sent."""
    with pytest.raises(ConfigValidationError) as caught:
        TapVitally(config=config)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert caught.value.errors
    return "\n".join([str(caught.value), *caught.value.errors])
