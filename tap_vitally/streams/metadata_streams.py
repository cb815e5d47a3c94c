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
    schema = f.record("inventory")


class InventoryRunsStream(VitallyStream):
    """The lists in `inventory` that were read to their end: only they prove that an id is gone."""

    name = "inventory_runs"
    contexts = INVENTORY_RUNS
    primary_keys = ("resource", "startedAt")
    replication_key = None
    sortable = False
    selected_by_default = False
    schema = f.record("inventory_runs")


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
    schema = f.record("vitally_sync_runs")


BOOKKEEPING: tuple[type[VitallyStream], ...] = (
    InventoryStream,
    InventoryRunsStream,
    SyncRunsStream,
)
