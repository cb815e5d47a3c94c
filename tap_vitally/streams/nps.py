"""Answers to NPS surveys."""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk import typing as th

from tap_vitally.client import VitallyStream
from tap_vitally.contexts import NPS_TARGETS
from tap_vitally.fragments import (
    CREATED_AT,
    EXTERNAL_ID,
    FREE_FORM,
    ID,
    UPDATED_AT,
    record_schema,
)


class NpsResponsesStream(VitallyStream):
    """NPS responses about accounts and about organizations.

    A response names only its user: the way to an account leads through `users.accounts` or the
    account_nps_responses stream. Deleting a response is permanent and leaves no trace.

    API: GET /npsResponses
    """

    name = "nps_responses"
    path = "/npsResponses"
    variants = NPS_TARGETS
    schema: ClassVar[dict[str, Any]] = record_schema(
        ID,
        CREATED_AT,
        UPDATED_AT,
        EXTERNAL_ID,
        th.Property(
            "target",
            th.StringType,
            description="List the response was read from: accounts or organization.",
        ),
        th.Property("userId", th.StringType, description="User who was asked (users.id)."),
        th.Property(
            "user",
            FREE_FORM,
            description="That user, without accounts, organizations and segments.",
        ),
        th.Property(
            "score",
            th.NumberType,
            description="Score given, 0 to 10; null when the survey was dismissed.",
        ),
        th.Property("feedback", th.StringType, description="Comment; null when none was left."),
        th.Property(
            "respondedAt",
            th.DateTimeType,
            description="When the user answered; null when not answered.",
        ),
        th.Property(
            "dismissedAt",
            th.DateTimeType,
            description="When the user dismissed the survey; null otherwise.",
        ),
    )
