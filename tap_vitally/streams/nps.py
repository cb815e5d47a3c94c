"""Answers to NPS surveys."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f


class NpsResponsesStream(VitallyStream):
    """NPS responses about accounts and about organizations.

    A response names only its user: the way to an account leads through `users.accounts` or the
    account_nps_responses stream. Deleting a response is permanent and leaves no trace.
    """

    name = "nps_responses"
    schema = f.record(
        *f.DATED,
        f.EXTERNAL_ID,
        f.text("target", "List the response was read from: accounts or organization."),
        f.text("userId", "User who was asked (users.id)."),
        f.free_form("user", "That user, without accounts, organizations and segments."),
        *f.LINKS,
        f.number("score", "Score given, 0 to 10; null when the survey was dismissed."),
        f.text("feedback", "Comment; null when none was left."),
        f.moment("respondedAt", "When the user answered; null when not answered."),
        f.moment("dismissedAt", "When the user dismissed the survey; null otherwise."),
    )
