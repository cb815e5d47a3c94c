"""The rule of the house: imports run downwards only, nothing runs in a circle, no room is a hall."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
RANKS = {"vitally_api": 0, "replication": 1, "planning": 1, "reading": 2, "writing": 2}
SEAM, DECLARATIONS, TOP = 3, 4, 5
PACKAGES = ("vitally_api", "tap_vitally", "target_vitally")
EVERYWHERE = (*PACKAGES, "sandbox", "harness", "soak", "demo", "benchmarks", "scripts", "tests")
WIRE_ONLY = {"requests", "urllib3", "msgspec", "json"}
MOST_LINES, MOST_CLASS_LINES = 400, 250


def files(*packages: str) -> dict[str, Path]:
    """The modules of packages, by their dotted names."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
    }


def imported(path: Path) -> Iterator[str]:
    """All that a module imports, for type checking too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rank(module: str) -> int:
    package, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    if package == "vitally_api" or room in RANKS:
        return RANKS[package if package == "vitally_api" else room]
    return {"stream": SEAM, "sink": SEAM, "streams": DECLARATIONS, "resources": DECLARATIONS}.get(
        room, TOP
    )


@pytest.mark.parametrize("name", files(*PACKAGES))
def test_imports_run_downwards(name: str) -> None:
    ours = files(*PACKAGES)
    for target in imported(ours[name]):
        package = target.partition(".")[0]
        if target in ours and package in PACKAGES:
            assert rank(target) <= rank(name), f"{name} imports {target}"
            apart = {name.partition(".")[0], package} == {"tap_vitally", "target_vitally"}
            assert not apart, f"{name} imports {target}"
            face = package != "vitally_api" or target == package or name.startswith(package)
            assert face, f"{name} goes behind the face of vitally_api: {target}"
        if package == "singer_sdk":
            assert rank(name) >= SEAM, f"{name} imports {target}"
        if package in WIRE_ONLY and not name.startswith("vitally_api"):
            assert package == "json", f"{name} imports {target}"
            assert rank(name) >= SEAM, f"{name} imports {target}"


def test_nothing_imports_in_a_circle() -> None:
    ours = files(*EVERYWHERE)
    graph = {
        name: {target for target in imported(path) if target in ours and target != name}
        - _parents(name)
        for name, path in ours.items()
    }
    TopologicalSorter(graph).prepare()  # CycleError names the circle


def _parents(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:length]) for length in range(1, len(parts))}


@pytest.mark.parametrize("name", files(*EVERYWHERE))
def test_no_file_and_no_class_is_too_long(name: str) -> None:
    path = files(*EVERYWHERE)[name]
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MOST_LINES, name
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MOST_CLASS_LINES, f"{name}.{node.name} has {length} lines"
