"""Records about the reading itself: which ids exist, and what each run did."""

from __future__ import annotations

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams import fields as f
from tap_vitally.sync.inventory import INVENTORY_RUNS, SYNC_RUNS, Inventory, read_ids


class InventoryStream(VitallyStream):
    """The ids that exist, of the resources named by the setting inventory_resources.

    The API leaves no trace of a record that was deleted for good. This lists every id, and
    `inventory_runs` tells which lists came to their end, so that a missing id means deleted.
    """

    name = "inventory"
    contexts = Inventory
    source = read_ids
    primary_keys = ("resource", "id")
    replication_key = None
    sortable = False
    selected_by_default = False
    schema = f.record(
        f.key("resource", "Stream whose record it is, such as accounts."),
        f.key("id", "Id of a record that existed."),
        f.moment("seenAt", "Start of the run that saw it last, by the server's clock."),
    )


class InventoryRunsStream(VitallyStream):
    """The lists in `inventory` that were read to their end: only they prove that an id is gone."""

    name = "inventory_runs"
    contexts = INVENTORY_RUNS
    primary_keys = ("resource", "startedAt")
    replication_key = None
    sortable = False
    selected_by_default = False
    schema = f.record(
        f.key("resource", "Stream whose ids were listed."),
        f.moment(
            "startedAt",
            "Start of the run, by the server's clock; equals inventory.seenAt.",
            required=True,
        ),
        f.moment("finishedAt", "When the list came to its end, by the server's clock."),
        f.integer("count", "How many ids there were."),
        f.flag(
            "suspect",
            "Whether fewer than half of countBefore were there, also when listed a second time.",
        ),
        f.integer("countBefore", "How many ids the last list had; null if none is known."),
    )


class SyncRunsStream(VitallyStream):
    """What each run did for each stream: the summary of the run, as rows.

    A table that has stopped moving shows here, as does everything that was left out.
    """

    name = "vitally_sync_runs"
    contexts = SYNC_RUNS
    primary_keys = ("startedAt", "stream")
    replication_key = None
    sortable = False
    selected_by_default = False
    schema = f.record(
        f.moment("startedAt", "Start of the run, by the server's clock.", required=True),
        f.key("stream", "The stream."),
        f.integer("records", "Records written."),
        f.integer("pages", "Pages read."),
        f.integer("requests", "Requests sent, repeated ones too."),
        f.integer("retries", "Requests repeated."),
        f.number(
            "waitedSeconds",
            "Seconds waited for the rate limit and between tries, over all threads.",
        ),
        f.integer("stoppedEarly", "Lists left where the rest was older than the bookmark."),
        f.integer(
            "outOfOrder", "Lists that were not in the order of updatedAt, and read to the end."
        ),
        f.integer("haveNone", "Accounts that are there and have no health score: 404 is no skip."),
        f.integer("skipped", "How much was left out."),
        f.texts("skippedReasons", "What was left out, and why."),
        f.integer("madeNull", "Values that did not fit their type, and were made null."),
        f.free_form("madeNullProperties", "How many of them each property has."),
        f.integer(
            "madeNullTraits",
            "Values made null in the columns that trait_columns adds; traits keeps them.",
        ),
        f.integer("cutToDay", "Values that lost a time of day, since their column holds days."),
        f.free_form("cutToDayProperties", "How many of them each property has."),
        f.moment("bookmarkBefore", "Bookmark at the start; null if none."),
        f.moment("bookmarkAfter", "Bookmark at the end; null if none."),
        f.integer(
            "parentsWalked",
            "Accounts or organizations whose lists were read; null for other streams.",
        ),
        f.integer("parentsKnown", "How many of them there are; null for other streams."),
        f.moment("fullWalkAt", "When the last complete scan of all of them began; null if none."),
        f.moment(
            "wholeReadAt",
            "When the last read of all accounts or organizations began; null for other streams.",
        ),
    )


BOOKKEEPING: tuple[type[VitallyStream], ...] = (
    InventoryStream,
    InventoryRunsStream,
    SyncRunsStream,
)
