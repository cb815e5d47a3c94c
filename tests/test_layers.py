"""The layout: imports run downwards and in no circle, files and classes stay small, words are common ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEIGHTS = {
    "tap_vitally": 6,
    "tap_vitally.streams": 5,
    "tap_vitally.sdk_stream": 4,
    "tap_vitally.sync": 1,
    "tap_vitally.state": 0,
    "target_vitally": 6,
    "target_vitally.resources": 5,
    "target_vitally.sdk_sink": 4,
    "target_vitally.pipeline": 3,
    "target_vitally.bulk": 2,
    "target_vitally.writers": 2,
    "target_vitally.lookup": 1,
    "target_vitally.mapping": 0,
    "singer_command": 5,
    "vitally_api": 0,
    "vitally_api.resources": -1,
    "vitally_api.settings": -1,
    "vitally_api.statuses": -1,
    "vitally_api.values": -1,
}
SHARED = {"singer_command", *(room for room in HEIGHTS if room.startswith("vitally_api"))}
"""A room may import what lies lower, in its own package or in a shared one; types count too."""
SDK_FROM = 4
"""The seam to the SDK; what lies below it does not know of Singer."""
WIRE = {"requests", "urllib3", "msgspec"}
"""What `vitally_api` alone may use."""
LONGEST = {ast.Module: 400, ast.ClassDef: 250}
LONGEST_STACK, DEEPEST_STACK = 400, 2
"""Lines of a class and of all our own that it inherits from, and how many of them are above each other."""
OTHERS = (
    "benchmarks",
    "dashboard",
    "demo",
    "field",
    "harness",
    "sandbox",
    "scripts",
    "soak",
    "tests",
)

FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in (*OTHERS, *{room.partition(".")[0] for room in HEIGHTS})
    for path in (ROOT / folder).rglob("*.py")
}

OLD_WORDS = """
Door door doors own_doors Meaning meaning meaning_of Fitted fitted Conformer Named Way Word Group
Work works told tell_once noticed Whom whom Pointing pointing Pointers pointers pointed_at
Place Mark Watch Walked Descent descent Listing Chain Lane lane lanes parcel packed
unpacked Tally tally tallies Totals Counts Uncounted Turn Costs cautious Trouble trouble troubles
Broken Odd Uncertain Declined Lost Halted Misunderstood Unfit TooDear misses ending Ending quiet
Quiet in_force bookkeeping Ledger ledger Spool spool spread halt GLANCE homeless hopeful doubt
recalled joined pretend pretended untaken stray mended printable as_it_is price Price Host Pools
pools Maker makers Taken Truth truth Meant meant Shown shown Judge judge Hunt hunt watched histories
"""
"""Words of our own for what Singer, HTTP and databases have names for; a longer name may hold one."""


@pytest.fixture(scope="module", autouse=True)
def _forgotten() -> Iterator[None]:
    """Let go of a million nodes, which Python would look through for garbage again and again."""
    yield
    for function in (parsed, nodes, imports, own_classes, bases):
        function.cache_clear()


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text(encoding="utf-8"))


@cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(module)))


@cache
def imports(module: str) -> set[str]:
    """Name the modules that one imports, ours by their full names."""
    found = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in FILES else str(node.module) for name in whole.values()}
    return found


@cache
def own_classes() -> dict[tuple[str, str], ast.ClassDef]:
    """Return our classes by module and name."""
    return {
        (module, node.name): node
        for module in FILES
        for node in nodes(module)
        if isinstance(node, ast.ClassDef)
    }


Class = tuple[str, str]


def defined(module: str, name: str) -> Class | None:
    """Return the class of ours that a dotted name means in a module; None for one of others."""
    if (module, name) in own_classes():
        return module, name
    first, _, rest = name.partition(".")
    for node in nodes(module) if module in FILES else ():
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for alias in node.names:
            if (alias.asname or alias.name) != first:
                continue
            origin = node.module if isinstance(node, ast.ImportFrom) else None
            full = f"{origin}.{alias.name}" if origin else alias.name
            return defined(full, rest) if rest else defined(str(origin), alias.name)
    return None


@cache
def bases(cls: Class) -> tuple[Class, ...]:
    """Return the classes of ours that one inherits from directly."""
    written = (
        base.value if isinstance(base, ast.Subscript) else base for base in own_classes()[cls].bases
    )
    found = (defined(cls[0], ast.unparse(base)) for base in written)
    return tuple(base for base in found if base)


def stack(cls: Class) -> set[Class]:
    return {cls}.union(*map(stack, bases(cls)))


def depth(cls: Class) -> int:
    return 1 + max(map(depth, bases(cls)), default=0)


def lines_of(node: ast.ClassDef) -> int:
    return (node.end_lineno or 0) - node.lineno + 1


def is_error(cls: Class) -> bool:
    return cls[1].endswith("Error") or any(map(is_error, bases(cls)))


def identifiers(module: str) -> Iterator[str]:
    """Yield each name that a module defines or uses, without the underscores before it."""
    yield from module.split(".")
    for node in nodes(module):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name.strip("_")
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name.strip("_")
            case ast.alias(name=name, asname=other):
                yield other or name.rpartition(".")[2]


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
        for node in nodes(module):
            if isinstance(node, ast.ClassDef) and lines_of(node) > LONGEST[ast.ClassDef]:
                long.add(f"{module}.{node.name} is too long")
    assert long == set()


def test_no_class_is_a_stack() -> None:
    """Kinds of errors may be kinds of kinds: their types are what the caller catches."""
    tall = {
        ".".join(cls)
        for cls in own_classes()
        if sum(lines_of(own_classes()[one]) for one in stack(cls)) > LONGEST_STACK
        or (depth(cls) > DEEPEST_STACK and not is_error(cls))
    }
    assert tall == set()


def test_no_old_word_is_a_name() -> None:
    words = set(OLD_WORDS.split())
    old = {
        f"{module.partition('.')[0]}: {name}"
        for module in FILES
        for name in identifiers(module)
        if name in words
    }
    assert old == set()
