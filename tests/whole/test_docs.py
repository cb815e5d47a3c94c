"""What newcomers are told is true: the README and docs, meltano.yml, the examples and the demo."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from harness.support import ROOT, Row, Warehouse, config_for, run_command, run_in_process
from sandbox import Sandbox
from sandbox.fake_values import fake_values
from scripts import readme
from scripts.dictionary import GROUPS, group_of, streams_of
from scripts.stubs import DEFINITIONS
from scripts.tables import columns_of
from tap_vitally import report
from tap_vitally.check import test_report as report_of
from tap_vitally.streams import STREAMS
from tap_vitally.sync.lookups import problems_with
from tap_vitally.tap import TapVitally

PAGES = ["README.md", *(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]
REPOSITORY = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["repo_url"]
BY_DEFAULT = {stream.name for stream in STREAMS if stream.selected_by_default}


def page(name: str) -> str:
    """A page of the documentation."""
    return (ROOT / name).read_text(encoding="utf-8")


def section(name: str, title: str) -> str:
    """A section of a page, its subsections included."""
    _, found, rest = page(name).partition(f"\n## {title}\n")
    assert found, f"{name} has no section {title!r}"
    return rest.partition("\n## ")[0]


def snippet(language: str, text: str) -> str:
    """The only block of code of a language in a text."""
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{len(found)} blocks of {language}"
    return str(found[0])


def example(name: str) -> Any:
    """An example, decoded."""
    return yaml.safe_load((ROOT / "docs" / "examples" / name).read_text(encoding="utf-8"))


def extractor(project: Row) -> Row:
    """The tap in a Meltano project."""
    found: Row = project["plugins"]["extractors"][0]
    return found


def test_the_readme_can_be_read_in_three_minutes() -> None:
    assert len(page("README.md").encode()) <= 6_000


# The generated parts


def test_a_generated_part_that_differs_is_found() -> None:
    text = "a\n<!-- part: written by `make docs` -->\nold\n<!-- part: end -->\nz\n"
    renewed = readme.renewed(text, {"part": lambda: "new"})
    assert renewed == text.replace("old", "\nnew\n")
    assert readme.renewed(renewed, {"part": lambda: "new"}) == renewed
    with pytest.raises(ValueError, match="0 places"):
        readme.renewed(text, {"other": lambda: "new"})


# meltano.yml


def test_meltano_knows_every_setting_of_the_tap() -> None:
    """The SDK's own included: Meltano reads only declared settings from the environment."""
    about = run_command([sys.executable, "-m", "tap_vitally", "--about", "--format=json"])
    declared = json.loads(about.stdout)["settings"]["properties"]
    kinds = {
        "array": "array",
        "boolean": "boolean",
        "integer": "integer",
        "number": "integer",
        "object": "object",
        "string": "string",
    }

    def kind(how: Row) -> str:
        if "enum" in how:
            return "options"
        if how.get("format") == "date-time":
            return "date_iso8601"
        types = how["type"] if isinstance(how["type"], list) else [how["type"]]
        return kinds[next(name for name in types if name != "null")]

    wanted = {
        name: (kind(how), bool(how.get("secret")), set(how.get("enum") or ()) - {None})
        for name, how in declared.items()
    }
    settings = extractor(yaml.safe_load((ROOT / "meltano.yml").read_text()))["settings"]
    found = {
        item["name"]: (
            item["kind"],
            item.get("sensitive", False),
            {option["value"] for option in item.get("options", ())},
        )
        for item in settings
    }
    assert found == wanted
    assert [name for name, (_, secret, _) in found.items() if secret] == ["api_key"]


def test_meltano_knows_what_the_tap_can_do() -> None:
    capabilities = {capability.value for capability in TapVitally.capabilities}
    assert set(extractor(yaml.safe_load((ROOT / "meltano.yml").read_text()))["capabilities"]) == (
        capabilities
    )
    assert set(extractor(example("meltano.yml"))["capabilities"]) <= capabilities


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ("meltano.yml", set()),
        ("docs/examples/meltano.yml", {"vitally_sync_runs", "inventory", "inventory_runs"}),
    ],
)
def test_meltano_selects_what_the_tap_selects_by_default(file: str, more: set[str]) -> None:
    patterns = extractor(yaml.safe_load((ROOT / file).read_text()))["select"]
    selected = {
        stream.name
        for stream in STREAMS
        if any(fnmatchcase(f"{stream.name}.id", pattern) for pattern in patterns)
    }
    surveys = {"survey_responses", "survey_questions"}
    assert selected | surveys == BY_DEFAULT | more
    assert all(pattern.endswith(".*") for pattern in patterns)


def test_the_projects_to_paste_declare_every_setting_as_ours_does() -> None:
    """What is not declared, Meltano does not take from the environment."""
    ours = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]
    for file, kind, name in (
        ("meltano.yml", "extractors", "tap-vitally"),
        ("push.yml", "loaders", "target-vitally"),
    ):
        theirs = example(file)["plugins"]
        settings = {item["name"]: item for item in _plugin(theirs, kind, name)["settings"]}
        wanted = {item["name"]: item for item in _plugin(ours, kind, name)["settings"]}
        assert settings.keys() == wanted.keys()
        for setting, item in settings.items():
            declared = wanted[setting]["kind"].replace("options", "string")
            assert item["kind"] == declared
            assert item.get("sensitive") == wanted[setting].get("sensitive")


def _plugin(plugins: Row, kind: str, name: str) -> Row:
    found: Row = next(item for item in plugins[kind] if item["name"] == name)
    return found


def test_the_projects_to_paste_name_the_releases_that_are_tested() -> None:
    pins = {
        line
        for path in (ROOT / "requirements").rglob("*.txt")
        for line in path.read_text().splitlines()
    }
    for file in ("meltano.yml", "push.yml", "loaders.yml", "extractors.yml"):
        for kind in example(file)["plugins"].values():
            for plugin in kind:
                if not plugin["pip_url"].startswith("-e"):
                    assert plugin["pip_url"].split()[0] in pins


# The workflow


def test_the_examples_are_valid_and_the_workflow_is_safe() -> None:
    workflow, *projects = (
        str(ROOT / "docs" / "examples" / name)
        for name in ("sync.yml", "meltano.yml", "push.yml", "loaders.yml", "extractors.yml")
    )
    for command in (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", workflow],
        ["check-jsonschema", "--builtin-schema", "vendor.meltano", *projects],
        ["zizmor", "--offline", "--quiet", "--no-config", workflow],
    ):
        program = shutil.which(command[0], path=str(Path(sys.executable).parent))
        assert program, f"{command[0]} is not installed: make install"
        done = run_command([program, *command[1:]])
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_example_workflow_pins_its_actions_as_our_own_do() -> None:
    def pins(file: Path) -> set[str]:
        return set(
            re.findall(r"uses: (\S+@[0-9a-f]{40} # v[\d.]+)$", file.read_text(), re.MULTILINE)
        )

    file = ROOT / "docs" / "examples" / "sync.yml"
    ours = set().union(*map(pins, (ROOT / ".github" / "workflows").glob("*.yml")))
    theirs = pins(file)
    assert len(theirs) == len(set(re.findall(r"uses: (\S+)", file.read_text())))
    named = {pin.partition("@")[0] for pin in ours}
    assert {pin for pin in theirs if pin.partition("@")[0] in named} <= ours


# The rest of the README's code


def test_links_lead_somewhere() -> None:
    for name in PAGES:
        text = re.sub(r"```.*?```", "", page(name), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            ours = target.startswith(f"{REPOSITORY}/blob/main/")
            if target.startswith(("https://", "mailto:")) and not ours:
                continue
            path, _, anchor = target.removeprefix(f"{REPOSITORY}/blob/main/").partition("#")
            folder = ROOT if ours else (ROOT / name).parent
            file = folder / path if path else ROOT / name
            assert file.exists(), f"{name} links to {target}"
            in_site = file.resolve().is_relative_to(ROOT / "docs")
            assert name == "README.md" or ours or in_site, f"{target} of {name} is not in the site"
            if anchor:
                titles = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
                anchors = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
                assert anchor in anchors, f"{name} links to {target}"


def test_every_page_is_in_the_index_and_in_the_site() -> None:
    pages = {name.removeprefix("docs/") for name in PAGES if name != "README.md"}
    nav = set(re.findall(r'"(\S+\.md)"', page("zensical.toml")))
    assert nav == pages
    below = {name for name in pages if "/" in name}
    linked = set(re.findall(r"\((\S+\.md)\)", page("docs/index.md")))
    assert linked == pages - below - {"index.md"}


@pytest.mark.parametrize("group", [name for name, group in GROUPS.items() if group.is_drawn])
def test_a_picture_shows_every_column_and_each_link_between_tables(group: str) -> None:
    text = page(f"docs/images/tables-{group}.svg")
    drawn = ET.fromstring(text)  # noqa: S314 - of ours
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    lines = [at.get("class", "") for at in drawn.iter("{http://www.w3.org/2000/svg}path")]
    streams = streams_of(group)
    columns = [column for stream in streams for column in columns_of(stream)]
    assert {stream.name for stream in streams} <= set(texts)
    assert not {column.name for column in columns} - set(texts)
    assert len([line for line in lines if "link" in line]) == sum(len(c.links) for c in columns)
    assert len([kind for kind in texts if kind and kind.endswith(", key")]) >= len(streams)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_every_stream_and_property_is_described() -> None:
    for stream in STREAMS:
        described = page(f"docs/streams/{group_of(stream)}.md")
        own = described.partition(f"\n## {stream.name}\n")[2].partition("\n## ")[0]
        names = set(re.findall(r"^\| `(\w+)` \| \S", own, re.MULTILINE))
        wanted = set(stream.schema["properties"])
        if stream.of:
            assert f"[`{stream.of.name}`]({group_of(stream.of)}.md#{stream.of.name})" in own
            wanted -= set(stream.of.schema["properties"])
        assert names >= wanted


def test_every_model_and_column_is_described() -> None:
    files = (ROOT / "dbt" / "models").rglob("*.yml")
    models = [m for file in files for m in yaml.safe_load(file.read_text()).get("models", ())]
    text = page("docs/models.md")
    assert len(models) > 40
    for model in models:
        own = text.partition(f"\n### {model['name']}\n")[2].partition("\n### ")[0]
        assert model["description"].split()[0] in own
        names = re.findall(r"^\| `(\w+)` \| \S", own, re.MULTILINE)
        assert names == [column["name"] for column in model.get("columns", ())]


def test_targets_of_make_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page(name) for name in [*PAGES, "CONTRIBUTING.md"])
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE))
    assert named
    assert named <= targets


def test_the_sample_of_a_closing_summary_has_todays_columns() -> None:
    sample = page("docs/runs.md").partition("The summary of this run:\n")[2]
    head, row = (re.split(r" {2,}", line) for line in sample.splitlines()[:2])
    assert head == re.split(r" {2,}", report.table({}).splitlines()[0])
    assert len(row) == len(head)


def test_the_sample_of_a_check_is_what_a_check_prints(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = start_sandbox(accounts=5, sizes={"organizations": 0})
    sandbox.refuse("customObjects")
    tap = TapVitally(config=config_for(sandbox.url))
    try:
        printed = "\n".join(report_of(tap.run, tap.all_streams))
    finally:
        tap.run.stop()

    def reported(text: str) -> list[str]:
        """The lines, without what differs from case to case, and with single spaces."""
        differs = r"https?://\S+|\d{4}-\S+|403 .*"
        text = re.sub(r" at [\d,]+ a minute", "", text)
        lines = (re.sub(differs, "…", line) for line in text.splitlines())
        return [" ".join(line.split()) for line in lines if line]

    wanted = reported(snippet("text", page("docs/start.md")))
    assert len(wanted) > 4
    assert set(wanted) <= set(reported(printed))


def test_the_example_of_lookups_is_taken() -> None:
    lookups = json.loads(snippet("json", page("docs/lookups.md")))
    assert problems_with(lookups) == []
    TapVitally(config=config_for("http://127.0.0.1:1", lookups=lookups))


def holds(value: Any, texts: Iterable[str]) -> bool:
    found = json.dumps(value, default=str, ensure_ascii=False)
    return any(text in found for text in texts)


def test_the_example_of_masking_leaves_nothing_that_a_person_wrote(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    seed = 1
    sandbox = start_sandbox(accounts=12, seed=seed)
    mask = example("masking.yml")["config"] | {"stream_map_config": {"salt": "salt"}}
    config = config_for(sandbox.url, survey_ids=sandbox.world.ids("surveys"))
    written = fake_values(seed).phrases

    def text(**settings: Any) -> set[tuple[str, str]]:
        messages = run_in_process(config | settings, select=BY_DEFAULT)
        return {
            (message["stream"], name)
            for message in messages
            if message["type"] == "RECORD" and message["stream"] not in DEFINITIONS
            for name, value in message["record"].items()
            if name != "category" and holds(value, written)
        }

    assert {stream for stream, _ in text()} >= {"meetings", "notes", "survey_responses", "tasks"}
    assert text(**mask) == set()


def test_the_example_of_masking_leaves_no_name_and_no_address(
    start_sandbox: Callable[..., Sandbox],
) -> None:
    sandbox = start_sandbox(accounts=8)
    config = example("masking.yml")["config"]
    config["stream_map_config"] = {"salt": "salt"}
    people = [
        row for name in ("users", "admins") for row in sandbox.world.expected_rows(name).values()
    ]
    private = {row[name] for row in people for name in ("name", "email") if row[name]}

    def leaks(**settings: Any) -> set[tuple[str, str]]:
        messages = run_in_process(config_for(sandbox.url, **settings), select=BY_DEFAULT)
        return {
            (message["stream"], name)
            for message in messages
            if message["type"] == "RECORD"
            for name, value in message["record"].items()
            if holds(value, private)
        }

    assert {stream for stream, _ in leaks()} >= {"users", "admins", "accounts", "notes", "tasks"}
    assert leaks(**config) == set()

    warehouse = Warehouse()
    warehouse.load(run_in_process(config_for(sandbox.url, **config), select=BY_DEFAULT))
    users = warehouse.tables["users"].values()
    assert len(users) == len(sandbox.world.expected_rows("users"))
    hashed = {row["email"] for row in users if row["email"]}
    addresses = {
        row["email"] for row in sandbox.world.expected_rows("users").values() if row["email"]
    }
    assert len(hashed) == len(addresses)
