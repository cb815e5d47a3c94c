"""The commands of the pages for readers who have a project or a shell of their own, by their effect."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import yaml
from psycopg import sql

from harness.postgres import over_tcp
from harness.support import ROOT
from sandbox import Sandbox, World, serve
from tests.whole.terminal import Terminal, shell

pytestmark = pytest.mark.journey

KEY = "..."
"""The key that a page leaves to its reader."""


@pytest.fixture(scope="module")
def workspace() -> Iterator[Sandbox]:
    with serve(World(seed=1, accounts=8), key=KEY) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    return make_database()


@pytest.fixture(scope="module")
def project(
    workspace: Sandbox, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal]:
    """The pasted project after its first run."""
    terminal = Terminal(tmp_path_factory.mktemp("project"))
    terminal.project("meltano.yml")
    with over_tcp(database) as port:
        terminal.environment |= {
            "TAP_VITALLY_API_URL": workspace.url,
            "TARGET_POSTGRES_HOST": "127.0.0.1",
            "TARGET_POSTGRES_PORT": str(port),
            "TARGET_POSTGRES_USER": "postgres",
            "TARGET_POSTGRES_PASSWORD": "any",
            "TARGET_POSTGRES_DATABASE": urlsplit(database).path[1:],
        }
        terminal.run(shell("docs/start.md", "export TAP_VITALLY_API_KEY"))
        terminal.environment |= {"TAP_VITALLY_API_KEY": KEY, "TAP_VITALLY_SUBDOMAIN": "acme"}
        yield terminal


def loaded(database: str, table: str) -> dict[str, str]:
    """The names in a table, by id."""
    query = sql.SQL("SELECT id, name FROM {}").format(sql.Identifier("vitally", table))
    with psycopg.connect(database) as connection:
        rows = connection.execute(query).fetchall()
    return dict(rows)


def held(workspace: Sandbox, table: str) -> dict[str, str]:
    return {row["id"]: row["name"] for row in workspace.world.expected_rows(table).values()}


def asked(workspace: Sandbox) -> dict[str, int]:
    """How often each resource was asked for since the last time."""
    paths = workspace.requests.by_path()
    workspace.requests.clear()
    return {path.removeprefix("/resources/"): count for path, count in paths.items()}


def test_the_pasted_project_loads_the_tables(
    project: Terminal, workspace: Sandbox, database: str
) -> None:
    assert project.folder.is_dir()
    for table in ("accounts", "users"):
        assert loaded(database, table) == held(workspace, table)


def test_the_pasted_dbt_project_builds_on_these_tables(
    project: Terminal, workspace: Sandbox, database: str
) -> None:
    """The files of the one page beside those of the other."""
    (project.folder.parent / "tap-vitally").symlink_to(ROOT)
    page = (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for name, block in zip(("packages", "dbt_project", "profiles"), blocks, strict=False):
        assert f"`{name}.yml`" in page
        (project.folder / f"{name}.yml").write_text(block)
    project.environment["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    project.run(shell("docs/dbt.md", "dbt deps"))
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT account_id, name FROM analytics_vitally.vitally__account_enhanced"
        ).fetchall()
    assert dict(rows) == held(workspace, "accounts")


def test_a_full_refresh_reads_everything_again_and_a_filter_one_stream(
    project: Terminal, workspace: Sandbox, database: str
) -> None:
    whole, one = shell("docs/incremental.md", "meltano run --full-refresh").splitlines()
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE vitally.accounts SET name = 'lost'")
        connection.execute("UPDATE vitally.users SET name = 'lost'")
    asked(workspace)
    project.run(one)
    assert loaded(database, "accounts") == held(workspace, "accounts")
    assert set(loaded(database, "users").values()) == {"lost"}
    assert not {"users", "organizations"} & asked(workspace).keys()
    project.run(whole)
    assert loaded(database, "users") == held(workspace, "users")


def test_what_the_warehouse_lost_of_a_stream_comes_back(
    project: Terminal, workspace: Sandbox, database: str
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("DROP TABLE vitally.users")
    asked(workspace)
    project.run(shell("docs/deletions.md", "TAP_VITALLY__SELECT_FILTER="))
    assert loaded(database, "users") == held(workspace, "users")
    assert "organizations" not in asked(workspace)


def test_a_look_up_reads_just_what_it_names(
    project: Terminal, workspace: Sandbox, database: str
) -> None:
    key, other = workspace.world.ids("accounts")[:2]
    for account in (key, other):
        workspace.world.update("accounts", account, name="Looked up")
    workspace.world.update("accounts", key, externalId="acme-42")
    asked(workspace)
    project.run(shell("docs/lookups.md", "TAP_VITALLY_LOOKUPS="))
    names = loaded(database, "accounts")
    assert (names[key], names[other] == "Looked up") == ("Looked up", False)
    proof = {"accounts": 1}  # that the key is accepted
    assert asked(workspace) == {**proof, "accounts/acme-42": 1}


def test_an_inventory_and_the_query_find_what_was_deleted(
    project: Terminal, workspace: Sandbox
) -> None:
    gone = workspace.world.ids("accounts")[-1]
    workspace.world.delete("accounts", gone)
    for _ in range(2):
        project.run(shell("docs/deletions.md", "TAP_VITALLY_INVENTORY_RESOURCES="))
    shutil.copy(ROOT / "docs" / "sql" / "deleted.sql", project.folder)
    target = {
        name.replace("TARGET_POSTGRES_", "PG"): value
        for name, value in project.environment.items()
        if name.startswith("TARGET_POSTGRES_")
    }
    project.environment |= target
    query = shell("docs/deletions.md", "PGOPTIONS=")
    found = project.run(f"{query.strip()} --tuples-only --no-align")
    assert [line.partition("|")[0] for line in found.splitlines()] == [gone]


def test_the_queries_of_the_pages_find_rows(project: Terminal, database: str) -> None:
    assert project.folder.is_dir()
    health = {"status", "stream", "last_run", "last_news", "bookmark", "records", "skipped"}
    columns_of = {"names": [{"id", "starts"}], "runs": [health, {"stream", "count"}]}
    for page, expected in columns_of.items():
        text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
        queries = re.findall(r"^```sql\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        for query, columns in zip(queries, expected, strict=True):
            with psycopg.connect(database, options="-c search_path=vitally") as connection:
                cursor = connection.execute(query.encode())
                assert {column.name for column in cursor.description or ()} == columns
                assert cursor.fetchall()


def test_meltano_says_what_the_page_describes(project: Terminal) -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    described = re.findall(r"^- `(.+)`$", page.partition("\n## Meltano\n")[2], re.MULTILINE)
    run = "meltano run tap-vitally target-postgres"
    mistakes = (
        "meltano invoke --plugin-type=extractor tap-nowhere",
        "meltano run tap-vitaly target-postgres",
        f"{run.replace('meltano', 'meltano --no-environment')}",
        f"MELTANO_STATE_BACKEND_URI=s3://bucket/vitally {run}",
    )
    file = project.folder / "meltano.yml"
    whole = file.read_text()
    more = {"name": "tap-nowhere", "namespace": "nowhere", "executable": "tap-nowhere"}
    content = yaml.safe_load(whole)
    content["plugins"]["extractors"].append(more)
    file.write_text(yaml.safe_dump(content))
    said = " ".join("\n".join(project.run(one, fails=True) for one in mistakes).split())
    file.write_text(whole)
    (running,) = [text for text in described if "already running" in text]
    for text in described:
        found = re.search(".+?".join(map(re.escape, text.split("…"))), said)
        assert found or text == running, text


def test_a_schedule_of_a_job_goes_on_from_the_state_of_a_run(
    project: Terminal, workspace: Sandbox, database: str
) -> None:
    before = project.run("meltano state list").splitlines()[0]
    asked(workspace)
    project.run(shell("docs/schedulers.md", "meltano job add"))
    assert loaded(database, "users") == held(workspace, "users")
    assert project.run("meltano state list").splitlines()[0] == before
    assert sum(asked(workspace).values()) < 50


# The shell


@pytest.fixture
def terminal(workspace: Sandbox, tmp_path: Path) -> Terminal:
    terminal = Terminal(tmp_path)
    terminal.environment |= {"TAP_VITALLY_API_KEY": KEY, "TAP_VITALLY_API_URL": workspace.url}
    config = {"api_key": KEY, "api_url": workspace.url}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return terminal


def test_a_check_tells_the_streams_and_writes_nothing(
    terminal: Terminal, workspace: Sandbox
) -> None:
    asked(workspace)
    before = {path.name for path in terminal.folder.iterdir()}
    said = terminal.run(shell("docs/start.md", "tap-vitally --config=ENV --test"))
    assert f"The connection to {workspace.url} works, and the key is accepted." in said
    assert "accounts" in asked(workspace)
    assert {path.name for path in terminal.folder.iterdir()} == before


def test_a_check_of_the_project_tells_the_same(project: Terminal, workspace: Sandbox) -> None:
    said = project.run(shell("docs/start.md", "meltano invoke tap-vitally --test"))
    assert f"The connection to {workspace.url} works, and the key is accepted." in said
    # Meltano hands over that with which the last run began: the first had none.
    assert re.search("^Requests of (a first|the next) run", said, re.MULTILINE)
    said = project.run(shell("docs/costs.md", "meltano state get"))
    assert "Requests of the next run" in said
    assert re.search(r"^users +1: \d+ records changed since ", said, re.MULTILINE)


def test_the_script_keeps_state_and_tells_what_failed(
    terminal: Terminal, workspace: Sandbox
) -> None:
    script = shell("docs/start.md", "#!/bin/sh")
    folder = terminal.folder
    del terminal.environment["TAP_VITALLY_API_KEY"]
    (folder / "sync.sh").write_text(script)
    settings = re.search(r"`(\{\"do_timestamp_file.*?\})`", (ROOT / "docs/start.md").read_text())
    assert settings
    (folder / "target.json").write_text(settings[1])
    terminal.run("sh sync.sh")
    lines = (folder / "users.jsonl").read_text().splitlines()
    assert {json.loads(line)["id"] for line in lines} == set(workspace.world.ids("users"))
    state = json.loads((folder / "state.json").read_text())
    assert state["bookmarks"]["users"]

    terminal.run("sh sync.sh")
    again = (folder / "users.jsonl").read_text().splitlines()[len(lines) :]
    assert len(again) < len(lines), "only what is news is read again"

    before = json.loads((folder / "state.json").read_text())["bookmarks"]["users"]
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "api_key": "another"}))
    terminal.run("sh sync.sh", fails=True)
    after = json.loads((folder / "state.json").read_text())["bookmarks"]["users"]
    assert after["replication_key_value"] == before["replication_key_value"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "target.json").write_text("no settings")
    terminal.run("sh sync.sh", fails=True)
    (folder / "target.json").write_text(settings[1])
    del config["api_key"]
    (folder / "config.json").write_text(json.dumps(config))
    terminal.environment["TAP_VITALLY_API_KEY"] = KEY  # as the unit for systemd sets it
    terminal.run("sh sync.sh")
    assert "still here" in terminal.run(f"{script}\necho still here"), "pasted, it ends no shell"


def test_a_row_is_put_by_the_script_of_the_page(terminal: Terminal, workspace: Sandbox) -> None:
    (terminal.folder / "put.sh").write_text(shell("docs/writing.md", "# put.sh STREAM ROW"))
    config = {"api_key": KEY, "api_url": workspace.url, "first_push": True}
    (terminal.folder / "config.json").write_text(json.dumps(config))
    terminal.run("""sh put.sh accounts '{"externalId": "a-1", "name": "Example Mills"}'""")
    rows = workspace.world.tables["accounts"].rows.values()
    assert [row["name"] for row in rows if row["externalId"] == "a-1"] == ["Example Mills"]


def test_the_warehouse_is_compared_with_vitally(project: Terminal, workspace: Sandbox) -> None:
    port = project.environment["TARGET_POSTGRES_PORT"]
    names = {"HOST": "127.0.0.1", "PORT": port, "USER": "postgres", "PASSWORD": "any"}
    project.environment |= {f"PG{name}": value for name, value in names.items()}
    asked = shell("docs/runs.md", "psql --csv")
    assert "1 table equals Vitally as of" in project.run(asked)
    workspace.world.create("users")
    assert "users: 1 missing of " in project.run(asked, fails=True)


def test_a_sample_is_printed(project: Terminal) -> None:
    said = project.run(shell("docs/runs.md", "meltano invoke tap-vitally --sample"))
    assert len([line for line in said.splitlines() if line.startswith('{"id":')]) == 3
