"""What nobody knows of how the live API writes, each thing a switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

import msgspec

Known: TypeAlias = Literal["update", "409", "400", "duplicate"]
Archived: TypeAlias = Literal["update", "revive", "new", "400", "409"]


@dataclass(frozen=True, slots=True)
class Writing:
    """How the sandbox writes where the documentation is silent or speaks with two voices."""

    on_known: Known = "update"
    """What a POST does with an external id that there is."""
    on_known_of: Mapping[str, Known] = field(default_factory=dict)
    """The same for single resources."""
    on_archived: Archived = "update"
    """... with one that only an archived row has; ``update`` leaves it archived."""
    links: Literal["replace", "add"] = "replace"
    """What ``accountIds`` and ``organizationIds`` do to those that a user has."""
    extra: Literal["ignore", "refuse"] = "ignore"
    """What becomes of properties that a resource does not have."""
    project_parent: Literal["either", "accountId", "customerId"] = "either"
    """What a project wants its account to be called."""
    cost: int = 1
    """Units of the request budget that a write takes."""
    errors_as_200: bool = False
    """True: a refusal comes with status 200."""
    all_errors: bool = True
    """True: a refusal names everything that is wrong; False: the first thing."""
    doubles: bool = True
    """True: numbers are kept as JavaScript keeps them; False: with all their digits."""
    strip_html: bool = True
    """True: tags and attributes that are not on Vitally's list are removed."""
    fill_braces: bool = True
    """True: ``{{account.traits.key}}`` in a note is replaced."""
    absent_tags: Literal["drop", "keep"] = "drop"
    """What a PUT without ``tags`` does to those of a note or a task."""
    users_deleted: Literal["now", "later"] = "now"
    """``later`` keeps a deleted user in sight for a day, with no mark but ``updatedAt``."""
    touched_after: float | None = None
    """Seconds after which a new account is updated once more; about 600 at Vitally."""
    archived_meeting: Literal["refuse", "update"] = "refuse"
    """What a PUT does to an archived meeting."""
    bare_external_ids: bool = False
    """True: notes and tasks can be put by external id without ``source``."""
    delete_custom_objects: bool = False
    """True: custom objects can be deleted."""
    unknown_traits: Literal["store", "drop", "refuse"] = "store"
    """What becomes of a ``vitally.custom`` trait that no custom field stands behind."""
    archived_instances: Literal["found", "hidden"] = "found"
    """What a search for instances does with those that are archived."""
    email_case: Literal["counts", "ignored"] = "counts"
    """What searches for an e-mail do with its case."""
    typed_traits: bool = False
    """True: traits are kept as their field's type has them: a day as its midnight, a moment in UTC."""
    deleted_status: Literal[200, 204] = 204
    """The status of a DELETE: 204 without a body, 200 with one."""
    analytics_delay: float = 0.0
    """Seconds after which what the Analytics API has accepted shows."""
    analytics_order: Literal["kept", "shuffled"] = "kept"
    """``shuffled`` applies messages in another order, each up to as many seconds later again."""
    analytics_drops: float = 0.0
    """The share of the messages that are accepted and never applied."""
    analytics_repeated: Literal["drop", "apply"] = "drop"
    """What becomes of a message whose ``messageId`` has come before."""
    analytics_blocked: tuple[str, ...] = ()
    """Types of messages that are refused."""
    analytics_poison: str = ""
    """A message that holds this text makes its request be refused; empty: none does."""
    analytics_unknown_parents: Literal["create", "ignore"] = "create"
    """What becomes of an account or organization that a message names and that is not there."""
    analytics_nulls: Literal["clear", "keep"] = "clear"
    """What a null does to a trait, or to a property."""
    analytics_stamp: Literal["applied", "accepted"] = "applied"
    """The moment that ``updatedAt`` is set to."""
    analytics_most: int = 100
    """Messages that a request may hold."""

    def known(self, resource: str) -> Known:
        """Return what a POST does with a known external id of a resource."""
        return self.on_known_of.get(resource, self.on_known)

    def but(self, changes: Mapping[str, Any]) -> Writing:
        """Turn some switches; a name or a value that does not exist is refused."""
        if unknown := changes.keys() - asdict(self).keys():
            msg = f"unknown switch: {', '.join(sorted(unknown))} (there are {', '.join(asdict(self))})"
            raise ValueError(msg)
        return msgspec.convert({**asdict(self), **changes}, Writing)
