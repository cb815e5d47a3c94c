"""The pages that describe streams, settings and models, from what declares them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from scripts.about import ROOT, TAP, TARGET, about, types_of
from scripts.tables import diagram
from tap_vitally.streams import STREAMS
from vitally_api.resources import LISTS

Stream = type[Any]


@dataclass(frozen=True)
class StreamGroup:
    """Streams that share a page, and a picture of their tables if ``is_drawn``."""

    title: str
    text: str
    modules: tuple[str, ...]
    is_drawn: bool = True


GROUPS: Final[Mapping[str, StreamGroup]] = {
    "customers": StreamGroup(
        "Customers and team",
        "Accounts and organizations, the people who use your product, and your own team.",
        ("customers",),
    ),
    "activity": StreamGroup(
        "Conversations, notes, tasks, projects, meetings",
        "What happened with the customers, archived records included.",
        ("conversations", "notes", "tasks", "projects", "meetings"),
    ),
    "feedback": StreamGroup(
        "NPS and surveys", "What the customers answered when they were asked.", ("nps", "surveys")
    ),
    "custom": StreamGroup(
        "Custom fields and custom objects",
        "What your workspace defines for itself, and the records of its custom objects.",
        ("custom",),
    ),
    "nested": StreamGroup(
        "Lists below accounts and organizations",
        "What Vitally lists of each account and each organization. Each has the properties of the stream "
        "that it repeats; the tables here hold what it has beyond them.",
        ("nested_streams",),
        is_drawn=False,
    ),
    "runs": StreamGroup(
        "Inventory and runs",
        "Which ids exist, to find what was deleted, and what each run did.",
        ("metadata_streams",),
        is_drawn=False,
    ),
}
"""The page of a group is docs/streams/NAME.md, its picture docs/images/tables-NAME.svg."""


def group_of(stream: Stream) -> str:
    """Return the group of a stream; a module that no group names is a kind of customer data."""
    module = stream.__module__.rpartition(".")[2]
    return next((name for name, group in GROUPS.items() if module in group.modules), "customers")


def streams_of(group: str) -> list[Stream]:
    """Return the streams of a group, in the tap's order."""
    return [stream for stream in STREAMS if group_of(stream) == group]


def streams() -> str:
    """Return a table for each group of streams, with links to where they are described."""
    parts = []
    for name, group in GROUPS.items():
        rows = [
            (
                f"[`{stream.name}`](streams/{name}.md#{stream.name})",
                _summary(stream),
                ", ".join(f"`{key}`" for key in stream.primary_keys),
                f"by `{stream.replication_key}`" if stream.replication_key else "full",
                "yes" if stream.selected_by_default else "no",
            )
            for stream in streams_of(name)
        ]
        head = ("stream", "what it is", "key", "replication", "selected by default")
        parts += [f"### [{group.title}](streams/{name}.md)", table(head, rows)]
    return "\n\n".join(parts)


def page_of(group: str) -> str:
    """Return the page of a group: its picture, and each stream with its properties."""
    described = GROUPS[group]
    parts = [f"# {described.title}", f"{described.text} [All streams](../streams.md)."]
    if described.is_drawn:
        parts.append(picture(group, "../"))
    for stream in streams_of(group):
        parts += [f"## {stream.name}", _text(stream), *_properties(stream)]
    return "\n\n".join(parts) + "\n"


def pictures() -> str:
    """Return the pictures of all groups, each under its title."""
    return "\n\n".join(
        f"## {group.title}\n\n{picture(name)}" for name, group in GROUPS.items() if group.is_drawn
    )


def picture(group: str, up: str = "") -> str:
    """Return the picture of a group, which opens in its full size."""
    file = f"{up}images/tables-{group}.svg"
    return f"[![Tables of {GROUPS[group].title.lower()}, and how they are linked]({file})]({file})"


def picture_of(group: str) -> str:
    """Return the SVG of a group."""
    return diagram(f"Tables: {GROUPS[group].title}", streams_of(group))


def _properties(stream: Stream) -> list[str]:
    """Return the table of a stream's properties; of a list that is repeated, what it adds."""
    schema: dict[str, Any] = stream.schema
    properties, parts = schema["properties"], []
    if repeated := stream.of:
        same = repeated.schema["properties"]
        lacking = ", ".join(f"`{name}`" for name in same if name not in properties)
        properties = {name: how for name, how in properties.items() if same.get(name) != how}
        page = f"{group_of(repeated)}.md#{repeated.name}"
        but = f" without {lacking}" if lacking else ""
        parts = [f"The properties of [`{repeated.name}`]({page}){but}, and:"]
    rows = [
        (f"`{name}`", _type(declared), declared.get("description", ""))
        for name, declared in properties.items()
    ]
    return [*parts, table(("property", "type", "what"), rows)]


def settings(program: str = TAP) -> str:
    """Return a table of the settings that a program declares, their parts below them."""
    declared = json.loads(about("json", program))["settings"]
    rows = list(_settings(declared))
    return table(("setting", "default", "what"), rows)


def _settings(declared: Mapping[str, Any], above: str = "") -> Iterable[tuple[str, str, str]]:
    needed = declared.get("required", ())
    for name, how in declared.get("properties", {}).items():
        if not how.get("description"):
            continue  # the SDK's own, which says nothing about some parts
        default = f"`{_written(how['default'])}`" if how.get("default") is not None else ""
        what = _escaped(" ".join(how["description"].split()))
        choices = [f"`{choice}`" for choice in how.get("enum", ()) if choice is not None]
        more = f" One of {', '.join(choices)}." if choices else ""
        yield f"`{above}{name}`", default, f"{'**Needed.** ' * (name in needed)}{what}{more}"
        yield from _settings(how, f"{above}{name}.")


def environment() -> str:
    """Return every setting as a line of `.env.example`, but for those that it begins with."""
    first = ("api_key", "data_center", "subdomain")
    parts = []
    for program, title in ((TAP, "tap-vitally"), (TARGET, "target-vitally")):
        declared = json.loads(about("json", program))["settings"]["properties"]
        parts.append(f"# {title}")
        for name, how in declared.items():
            if program == TAP and name in first:
                continue
            default = _written(how.get("default", ""))
            text = textwrap.fill(" ".join(how["description"].split()), 108)
            parts += [
                "",
                textwrap.indent(text, "# "),
                f"# {program.upper()}_{name.upper()}={default}",
            ]
        parts.append("")
    return "\n".join(parts).strip()


def _written(value: Any) -> str:
    """Write a default as a variable of the environment takes it."""
    return value if isinstance(value, str) else json.dumps(value)


MODELS: Final = {
    "vitally__": ("Models to work with", "In the schema that ends with `_vitally`."),
    "stg_vitally__": (
        "Staging",
        "The loader's tables with columns in snake_case, in the schema that ends with `_stg_vitally`.",
    ),
    "int_vitally__": (
        "Steps between them",
        "In the schema that ends with `_int_vitally`; any version may change them.",
    ),
}
"""Title and text by what the names of the models begin with."""


def models() -> str:
    """Return every model of the dbt package with its columns, from the descriptions there."""
    described = [
        model
        for file in sorted((ROOT / "dbt" / "models").rglob("*.yml"))
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", ())
    ]
    parts = []
    for prefix, (title, text) in MODELS.items():
        parts += [f"## {title}", text]
        for model in sorted(described, key=lambda model: model["name"]):
            if model["name"].startswith(prefix):
                parts += [f"### {model['name']}", _escaped(_plain(model))]
                rows = [(f"`{c['name']}`", _escaped(_plain(c))) for c in model.get("columns", ())]
                parts += [table(("column", "what"), rows)] if rows else []
    return "\n\n".join(parts)


def _plain(described: Mapping[str, Any]) -> str:
    return " ".join(described.get("description", "").split())


def _type(declared: Mapping[str, Any]) -> str:
    kind = declared.get("format") or "/".join(types_of(declared))
    if kind == "array":
        return f"array of {'/'.join(types_of(declared['items']))}s"
    return kind


def _text(stream: Stream) -> str:
    """Return what a stream's docstring says, with the path of its list if that is all it asks for."""
    text = textwrap.dedent(f"    {stream.__doc__}").strip()
    if stream.name in LISTS and "API: " not in text:
        text += f"\n\nAPI: GET {stream.resource.path}"
    return _escaped(text)


def _summary(stream: Stream) -> str:
    return _text(stream).partition("\n")[0]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [tuple(head), tuple("---" for _ in head), *(tuple(row) for row in rows)]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )


def _escaped(text: str) -> str:
    """Keep placeholders such as <subdomain> from being taken for HTML."""
    return re.sub(r"<(?=\w)", "&lt;", text)
