"""Writes what is generated in docs/, hub/ and meltano.yml, and stubs for a new stream: ``make docs``.

The tap itself is the source, so that no description is written twice. With ``--check`` nothing is
written, and the exit code is 1 if something would be.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import textwrap
from functools import partial
from typing import TYPE_CHECKING, Final

import yaml

from field import pages
from scripts import dictionary
from scripts.about import ROOT, TAP, TARGET, about, meltano_setting
from scripts.hub import extractor, loader
from scripts.stubs import BY_DEFAULT, stubs
from scripts.writable import writable
from tap_vitally.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def file(path: str, language: str) -> Callable[[], str]:
    """Return a function that shows a file as it is, without the marks of its generated parts."""

    def show() -> str:
        text = (ROOT / "docs" / path).read_text(encoding="utf-8")
        text = re.sub(r"^ *# \w+: (written by make docs|end)\n", "", text, flags=re.MULTILINE)
        return f"```{language}\n{text.rstrip()}\n```"

    return show


def meltano_settings(program: str = TAP) -> str:
    """Return the settings as `meltano.yml` declares them, indented to their place there."""
    declared = json.loads(about("json", program))["settings"]["properties"]
    items = [meltano_setting(name, how) for name, how in declared.items()]
    text = yaml.safe_dump(items, allow_unicode=True, sort_keys=False, width=92)
    return textwrap.indent(text.rstrip(), " " * 6)


def declared_settings(program: str = TAP) -> str:
    """Return the settings as a project to paste declares them, a line for each."""
    declared = json.loads(about("json", program))["settings"]["properties"]
    lines = []
    for name, how in declared.items():
        item = meltano_setting(name, how)
        more = ", sensitive: true" if item.get("sensitive") else ""
        kind = "string" if item["kind"] == "options" else item["kind"]
        lines.append(f"    - {{name: {name}, kind: {kind}{more}}}")
    return "\n".join(lines)


def selected() -> str:
    """Return the patterns that have Meltano select what the tap selects by default.

    One pattern stands for all that begins with custom_object: a workspace may have a stream for each.
    """
    names = (re.sub(r"^custom_object.*", "custom_object*", stream.name) for stream in BY_DEFAULT)
    return "\n".join(f"    - {name}.*" for name in dict.fromkeys(names))


PARTS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    ".env.example": {"environment": dictionary.environment},
    # The examples come first: pages show them.
    "docs/examples/meltano.yml": {
        "declared": declared_settings,
        "selected": selected,
    },
    "docs/examples/push.yml": {"target_declared": lambda: declared_settings(TARGET)},
    "docs/ci.md": {"workflow": file("examples/sync.yml", "yaml")},
    "docs/deletions.md": {"deleted": file("sql/deleted.sql", "sql")},
    "docs/loaders.md": {
        "loaders": pages.loaders,
        "names": pages.names,
        "examples": file("examples/loaders.yml", "yaml"),
        "unfit": pages.unfit,
    },
    "docs/many-workspaces.md": {
        "project": file("examples/workspaces/meltano.yml", "yaml"),
        **{
            name: file(f"examples/workspaces/{name}.sh", "sh")
            for name in ("workspaces", "one", "all")
        },
        "airflow": file("examples/vitally_airflow_workspaces.py", "python"),
        "dagster": file("examples/vitally_dagster_workspaces.py", "python"),
        "twenty": pages.workspaces,
    },
    "docs/masking.md": {"masking": file("examples/masking.yml", "yaml")},
    "docs/names.md": {"columns": pages.columns},
    "docs/runs.md": {"health": file("sql/sync_health.sql", "sql")},
    "docs/schedulers.md": {
        "service": file("examples/vitally.service", "ini"),
        "timer": file("examples/vitally.timer", "ini"),
        "airflow": file("examples/vitally_airflow.py", "python"),
        "dagster": file("examples/vitally_dagster.py", "python"),
        "cronjob": file("examples/cronjob.yml", "yaml"),
        "schedulers": pages.schedulers,
    },
    "docs/models.md": {"models": dictionary.models},
    "docs/settings.md": {"settings": dictionary.settings},
    "docs/sources.md": {
        "sources": pages.sources,
        "written": pages.written,
        "odd": pages.odd_rows,
        "extractors": file("examples/extractors.yml", "yaml"),
    },
    "docs/start.md": {"project": file("examples/meltano.yml", "yaml")},
    "docs/tables.md": {"pictures": dictionary.pictures},
    "docs/target-settings.md": {"target_settings": lambda: dictionary.settings(TARGET)},
    "docs/writable.md": {"writable": writable},
    "docs/writing.md": {"push": file("examples/push.yml", "yaml")},
    "docs/streams.md": {"streams": dictionary.streams},
    "meltano.yml": {
        "settings": meltano_settings,
        "selected": selected,
        "target_settings": lambda: meltano_settings(TARGET),
    },
}
"""What is generated, by file and by the name that marks its place there."""
WHOLE: Final[Mapping[str, Callable[[], str]]] = {
    **{f"docs/streams/{name}.md": partial(dictionary.page_of, name) for name in dictionary.GROUPS},
    **{
        f"docs/images/tables-{name}.svg": partial(dictionary.picture_of, name)
        for name, group in dictionary.GROUPS.items()
        if group.is_drawn
    },
    "hub/extractors/tap-vitally.yml": extractor,
    "hub/loaders/target-vitally.yml": loader,
}
"""Files that are generated from their first line to their last."""


def renewed(text: str, parts: Mapping[str, Callable[[], str]]) -> str:
    """Return a file's text with its generated parts written anew.

    A part stands between two lines of comment, ``NAME: written by make docs`` and ``NAME: end``.
    """
    for name, make in parts.items():
        place = re.compile(
            rf"(?<=^)(?P<begin>[^\n]*\b{name}: written by `?make docs`?[^\n]*\n)"
            rf".*?(?P<end>^[^\n]*\b{name}: end\b)",
            re.DOTALL | re.MULTILINE,
        )
        gap = "\n" if "<!--" in text else ""
        content = f"{gap}{make()}\n{gap}"
        text, count = place.subn(lambda at: at["begin"] + content + at["end"], text)  # noqa: B023
        if count != 1:
            msg = f"{count} places for the part {name!r}, where there must be one"
            raise ValueError(msg)
    return text


def _with_parts(name: str) -> str:
    return renewed((ROOT / name).read_text(encoding="utf-8"), PARTS[name])


SNAPSHOTS: Final = ROOT / "tests" / "tap" / "__snapshots__" / "test_catalog"


def _without_snapshot() -> list[str]:
    """Name the streams whose catalog entry has no snapshot yet."""
    return [
        stream.name
        for stream in STREAMS
        if not (SNAPSHOTS / f"test_snapshot[{stream.name}].json").exists()
    ]


def _write_snapshots(names: Iterable[str]) -> None:
    chosen = " or ".join(f"test_snapshot[{name}]" for name in names)
    command = ["pytest", "-q", "-n", "0", "tests/tap/test_catalog.py", "--snapshot-update"]
    subprocess.run(  # noqa: S603 - our own tests
        [sys.executable, "-m", *command, "-k", chosen], check=True, cwd=ROOT, stdout=sys.stderr
    )


def main() -> int:
    """Write or check all parts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 if it is due")
    check = parser.parse_args().check
    due = 0
    for stream, name, new in stubs():
        due += 1
        if not check:
            (ROOT / name).write_text(new, encoding="utf-8")
        print(f"{stream}: {name} {'lacks it: run make docs' if check else 'begun: look it over'}")
    for stream in (without := _without_snapshot()):
        due += 1
        print(f"{stream}: snapshot {'missing: run make docs' if check else 'written'}")
    if without and not check:
        _write_snapshots(without)
    parts: dict[str, Callable[[], str]] = {name: partial(_with_parts, name) for name in PARTS}
    for name, make in {**parts, **WHOLE}.items():
        place = ROOT / name
        old = place.read_text(encoding="utf-8") if place.exists() else ""
        new = make()
        if new == old:
            continue
        due += 1
        if not check:
            place.write_text(new, encoding="utf-8")
        print(f"{name} {'is not up to date: run make docs' if check else 'written'}")
    return 1 if check and due else 0


if __name__ == "__main__":
    sys.exit(main())
