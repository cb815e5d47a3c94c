"""The layout of the house: imports run downwards, none goes round, and no room is a hall."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEIGHTS = {
    "tap_vitally": 4,
    "tap_vitally.streams": 3,
    "tap_vitally.sdk_stream": 2,
    "tap_vitally.sync": 1,
    "tap_vitally.state": 0,
    "target_vitally": 4,
    "target_vitally.resources": 3,
    "target_vitally.sdk_sink": 2,
    "target_vitally.pipeline": 1,
    "target_vitally.mapping": 0,
    "singer_command": 3,
    "vitally_api": 0,
    "vitally_api.resources": -1,
    "vitally_api.values": -1,
}
SHARED = {"singer_command", "vitally_api", "vitally_api.resources", "vitally_api.values"}
"""A room may import what lies lower, in its own package or in a shared one; types count too."""
SDK_FROM = 2
"""The seam to the SDK; what lies below it does not know of Singer."""
WIRE = {"requests", "urllib3", "msgspec"}
"""What `vitally_api` alone may use."""
LONGEST = {ast.Module: 400, ast.ClassDef: 250}
OTHERS = ("benchmarks", "demo", "harness", "sandbox", "scripts", "soak", "tests")

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in (*OTHERS, *{room.partition(".")[0] for room in HEIGHTS})
    for path in (ROOT / folder).rglob("*.py")
}


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


@cache
def imports(module: str) -> set[str]:
    """Name the modules that one imports, ours by their full names."""
    found = set()
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in whole.values()}
    return found


def room(module: str) -> str | None:
    """Name the room of a package that a module stands in; None for a module of no package."""
    parts = module.split(".")
    return next((name for name in (".".join(parts[:2]), parts[0]) if name in HEIGHTS), None)


def may_import(importer: str, imported: str) -> bool:
    here, there = room(importer), room(imported)
    package = imported.partition(".")[0]
    if here is None:
        return True
    if there is None:
        wire = package in WIRE and here != "vitally_api"
        seam = package == "singer_sdk" and HEIGHTS[here] < SDK_FROM
        return package not in OTHERS and not wire and not seam
    if here == there:
        return True
    if there == "vitally_api" != imported:
        return False  # it has one face: what its __init__ offers
    related = there in SHARED or here.partition(".")[0] == package
    return related and HEIGHTS[there] < HEIGHTS[here]


def test_imports_run_downwards() -> None:
    upwards = {
        f"{module} imports {other}"
        for module in FILES
        for other in imports(module)
        if not may_import(module, other)
    }
    assert upwards == set()


def test_no_import_goes_round() -> None:
    graph = {module: imports(module) & FILES.keys() - {module} for module in FILES}
    TopologicalSorter(graph).prepare()  # raises a CycleError that names them


def test_no_file_and_no_class_is_too_long() -> None:
    long = set()
    for module, path in FILES.items():
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > LONGEST[ast.Module]:
            long.add(f"{module} is too long")
        for node in ast.walk(parsed(module)):
            if isinstance(node, ast.ClassDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                if length > LONGEST[ast.ClassDef]:
                    long.add(f"{module}.{node.name} is too long")
    assert long == set()
