"""Every stream of the tap, in the order of `vitally_api.resources`; a module in this folder is enough."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams.metadata_streams import BOOKKEEPING
from tap_vitally.streams.nested_streams import nested_streams
from vitally_api.resources import LISTS, NESTED


def _declared() -> Iterator[type[VitallyStream]]:
    """Yield the classes that the modules of this package define."""
    for found in iter_modules(__path__, f"{__name__}."):
        for declared in vars(import_module(found.name)).values():
            own = isinstance(declared, type) and declared.__module__ == found.name
            if own and issubclass(declared, VitallyStream):
                yield declared


def _in_order() -> tuple[type[VitallyStream], ...]:
    """Return the stream of each entry of the table, or raise a `TypeError` that names what is missing."""
    declared = {stream.name: stream for stream in _declared() if stream not in BOOKKEEPING}
    if missing := [name for name in LISTS if name not in declared]:
        msg = (
            f"{', '.join(missing)}: in LISTS of vitally_api/resources.py, and no class declares it"
        )
        raise TypeError(msg)
    return (*(declared[name] for name in LISTS), *nested_streams(declared), *BOOKKEEPING)


STREAMS: tuple[type[VitallyStream], ...] = _in_order()

INVENTORIED = (*NESTED, *NESTED["accounts"])
"""The streams whose ids can be listed, to find out what was deleted: customers and what is below them."""
