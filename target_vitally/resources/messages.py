"""What the Analytics API alone takes: events (API notes on writing, 4)."""

from __future__ import annotations

from target_vitally.mapping.resource import Resource
from target_vitally.resources.parts import prop
from vitally_api.resources import ApiList

EVENTS = Resource(
    name="events",
    api=ApiList("/analytics/v1/track"),
    rank=6,
    properties=(
        prop("event", needed=True),
        prop("timestamp", "instant", needed=True),
        prop("userExternalId"),
        prop("accountExternalId"),
        prop("organizationExternalId"),
    ),
    key=None,
    keys=(),
    one_of=(("userExternalId", "accountExternalId", "organizationExternalId"),),
    model="events",
    message="track",
    only_message=True,
)
