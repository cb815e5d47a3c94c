"""Every stream of the tap, in the order of `vitally_api.resources`; an entry in this folder is enough."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from tap_vitally.sdk_stream import VitallyStream
from tap_vitally.streams.fields import declared_here
from tap_vitally.streams.metadata_streams import BOOKKEEPING
from tap_vitally.streams.nested_streams import nested_streams
from vitally_api.resources import LISTS, NESTED


def _declared() -> Iterator[type[VitallyStream]]:
    """Yield the streams of ``streams.ini``, and the classes that the modules of this package define."""
    for name, said in declared_here().items():
        stream: Any = type(f"{name}_stream", (VitallyStream,), {**said, "__module__": __name__})
        stream.__doc__ = f"{stream.__doc__}\n\nAPI: GET {stream.resource.path}\n"
        yield stream
    for found in iter_modules(__path__, f"{__name__}."):
        for declared in vars(import_module(found.name)).values():
            own = isinstance(declared, type) and declared.__module__ == found.name
            if own and issubclass(declared, VitallyStream):
                yield declared


def _in_order() -> tuple[type[VitallyStream], ...]:
    """Return the streams; raise a `TypeError` that names those that are declared or listed alone."""
    declared = {each.name: each for each in _declared() if each.name and each not in BOOKKEEPING}
    if alone := declared.keys() ^ LISTS.keys():
        msg = f"{', '.join(alone)}: either in LISTS of vitally_api/resources.py alone, or declared alone"
        raise TypeError(msg)
    return (
        *(declared[name] for name in LISTS),
        *nested_streams(declared),
        *BOOKKEEPING,
    )


STREAMS: tuple[type[VitallyStream], ...] = _in_order()

INVENTORIED = (*NESTED, *NESTED["accounts"])
"""The streams whose ids can be listed, to find out what was deleted: customers and what is below them."""
