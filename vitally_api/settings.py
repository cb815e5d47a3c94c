"""Settings as dataclasses; the JSON schema that checks them and makes ``--about`` follows from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

LONGEST_TIMEOUT = 3600.0
ADDRESS = ("api_key", "data_center", "subdomain", "api_url")

T = TypeVar("T")

_TYPES: Mapping[Any, tuple[Mapping[str, Any], Callable[[Any], Any]]] = {
    str: ({"type": ["string", "null"]}, str),
    bool: ({"type": ["boolean", "null"]}, bool),
    int: ({"type": ["integer", "null"]}, int),
    # An integer as well, or else the SDK takes it for text where it is in the environment. It gives
    # a `Decimal` where it has a point in it.
    float: ({"type": ["number", "integer", "null"]}, float),
    datetime: ({"type": ["string", "null"], "format": "date-time"}, datetime.fromisoformat),
    tuple: ({"type": ["array", "null"], "items": {"type": ["string"]}}, tuple),
    Mapping: ({"type": ["object", "null"]}, dict),
}
"""The JSON schema of each type of a setting, and the function that converts a valid value to it."""


def setting(description: str, *, default: Any, **schema: Any) -> Any:
    """Return a field of a dataclass of settings.

    ``schema`` adds to or replaces the JSON schema that follows from name and type. Two of its keys are
    not JSON schema: ``read`` converts the setting to the field's value, and ``written`` is the default as
    people write it, if that differs.
    """
    read, written = schema.pop("read", None), schema.pop("written", default)
    schema = {"default": written, "description": description, **schema}
    metadata = {"schema": schema, "read": read}
    return field(default_factory=lambda: default, repr="secret" not in schema, metadata=metadata)


@dataclass(frozen=True)
class ConnectionSettings:
    """The settings of a connection, the same for every command; `Endpoint` reads those of the address."""

    api_key: str = setting(
        "REST API key, from Settings > Integrations > Vitally REST API. The ready-made "
        "Basic header shown there is understood too.",
        title="API key",
        default="",
        type=["string"],
        secret=True,
        writeOnly=True,
    )
    data_center: Literal["us", "eu"] = setting("Where the workspace is hosted.", default="us")
    subdomain: str = setting(
        "First part of the address you log in at, https://<subdomain>.vitally.io. "
        "Required for the us data center, not used for eu.",
        default="",
    )
    api_url: str = setting(
        "Address of the API without /resources, in place of the one that follows from "
        "data_center and subdomain; for a proxy or the sandbox. https, or http to this machine.",
        title="API address",
        default="",
    )
    concurrency: int = setting(
        "Requests under way at once; 1 sends strictly one after the other.",
        default=8,
        minimum=1,
        maximum=32,
    )
    max_requests_per_minute: int | None = setting(
        "Upper limit for this program, to leave room for other tools that use the same "
        "workspace; unset, what the API allows is used.",
        title="Requests per minute",
        default=None,
        minimum=1,
    )
    request_timeout: float = setting(
        "Seconds without a byte after which a request is tried again.",
        default=60,
        exclusiveMinimum=0,
        read=lambda seconds: min(float(seconds), LONGEST_TIMEOUT),
    )
    user_agent: str = setting(
        "How the program introduces itself; its name and version by default.", default=""
    )


def schema_of(settings: type[ConnectionSettings]) -> dict[str, Any]:
    """Return the JSON schema: the address, the program's own settings, the rest of the connection."""
    hints = get_type_hints(settings)
    rest = [each for each in fields(ConnectionSettings) if each.name not in ADDRESS]
    ordered = [*(each for each in fields(settings) if each not in rest), *rest]
    return {
        "type": "object",
        "properties": {each.name: _property(hints[each.name], each) for each in ordered},
        "required": ["api_key"],
    }


def _kind(hint: Any) -> Any:
    (first, *_) = (kind for kind in get_args(hint) or (hint,) if kind is not NoneType)
    if get_origin(hint) is Literal:
        return type(first)
    return first if get_origin(hint) is UnionType else get_origin(hint) or hint


def _property(hint: Any, declared: Field[Any]) -> dict[str, Any]:
    """Return the JSON schema of a setting; an empty default is left out."""
    choices = {"enum": list(get_args(hint))} if get_origin(hint) is Literal else {}
    title = {"title": declared.name.replace("_", " ").capitalize()}
    of_type = _TYPES.get(_kind(hint), ({},))[0]
    schema = {**of_type, **choices, **title, **declared.metadata["schema"]}
    default = schema.pop("default")
    if default not in (None, "", (), {}):
        schema["default"] = list(default) if isinstance(default, tuple) else default
    return schema


def read_settings(settings: type[T], config: Mapping[str, Any]) -> T:
    """Return the settings of a configuration that fits the schema; null and absent are the default."""
    hints = get_type_hints(settings)
    given = {}
    for each in fields(settings):  # type: ignore[arg-type]
        value = config.get(each.name)
        if value is not None:
            read = each.metadata["read"] or _TYPES[_kind(hints[each.name])][1]
            given[each.name] = read(value)
    return settings(**given)
