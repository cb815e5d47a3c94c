"""The projects of the page on writing, pasted and run as it says, from a database and from a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from harness.postgres import over_tcp
from harness.support import ROOT, Row
from sandbox import Sandbox, World, serve
from tests.whole.terminal import Terminal, shell

pytestmark = pytest.mark.journey

PAGE = "docs/writing.md"
TABLES = """
    CREATE TABLE customers (
        customer_no text PRIMARY KEY, company text NOT NULL, plan text, arr_eur numeric(12, 2),
        signed_on date, touched_at timestamptz DEFAULT now()
    );
    CREATE TABLE contacts (
        contact_no text PRIMARY KEY, mail text, full_name text, customer_no text REFERENCES customers
    );
    INSERT INTO customers SELECT
        'a-' || n, 'Company ' || n, CASE WHEN n % 2 = 0 THEN 'gold' END, n * 1000.25, '2026-01-02'
    FROM generate_series(1, 12) AS n;
    INSERT INTO contacts SELECT
        'u-' || n, 'person' || n || '@example.com', 'Person ' || n, 'a-' || (1 + n % 12)
    FROM generate_series(1, 30) AS n;
"""


@pytest.fixture(scope="module")
def database(make_database: Callable[[], str]) -> str:
    address = make_database()
    with psycopg.connect(address) as connection:
        connection.execute(TABLES.encode())
    return address


@pytest.fixture
def there() -> Iterator[Sandbox]:
    with serve(World.empty(seed=3)) as sandbox:
        yield sandbox


@pytest.fixture
def terminal(tmp_path: Path, there: Sandbox) -> Terminal:
    terminal = Terminal(tmp_path)
    terminal.project("push.yml")
    terminal.environment |= {
        "TARGET_VITALLY_API_KEY": "sandbox",
        "TARGET_VITALLY_API_URL": there.url,
    }
    return terminal


def writes(there: Sandbox) -> int:
    """How many requests to write have come since the last time."""
    methods = there.requests.by_method()
    there.requests.clear()
    return sum(count for method, count in methods.items() if method != "GET")


def held(there: Sandbox, table: str) -> dict[str, Row]:
    rows = list(there.world.tables[table].rows.values())
    found = {row["externalId"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def test_tables_of_a_database_are_planned_written_once_and_kept(
    terminal: Terminal, there: Sandbox, database: str
) -> None:
    with over_tcp(database) as port:
        terminal.environment |= {
            "TAP_POSTGRES_HOST": "127.0.0.1",
            "TAP_POSTGRES_PORT": str(port),
            "TAP_POSTGRES_USER": "postgres",
            "TAP_POSTGRES_PASSWORD": "",
            "TAP_POSTGRES_DATABASE": str(conninfo_to_dict(database)["dbname"]),
        }
        terminal.run(shell(PAGE, "export TARGET_VITALLY_API_KEY"))
        check = shell(PAGE, "meltano invoke target-vitally --test")
        assert "the trait vitally.custom.arr does not exist" in terminal.run(check, fails=True)
        there.world.create(
            "customFields", model="accounts", label="ARR", path="vitally.custom.arr", type="number"
        )
        assert "public-customers: can be written" in terminal.run(check)
        looked_at = terminal.run(shell(PAGE, "meltano invoke tap-postgres"))
        assert "public-contacts: can be written" in looked_at
        assert "streams.customers: no SCHEMA of it has come" in looked_at
        writes(there)

        plan = terminal.run(shell(PAGE, "TARGET_VITALLY_FIRST_PUSH=true meltano run tap-postgres"))
        assert "nothing was written" in plan
        assert (
            "create 12 records of public-customers" in (terminal.folder / "plan.html").read_text()
        )
        assert writes(there) == 0

        script = shell(
            PAGE,
            "TARGET_VITALLY_DRY_RUN=false TARGET_VITALLY_FIRST_PUSH=true meltano run tap-postgres",
        )
        terminal.run(script)
        assert writes(there) == 42
        accounts, users = held(there, "accounts"), held(there, "users")
        assert {key: row["name"] for key, row in accounts.items()} == {
            f"a-{n}": f"Company {n}" for n in range(1, 13)
        }
        for n in (1, 12):
            traits = accounts[f"a-{n}"]["traits"]
            assert float(traits["vitally.custom.arr"]) == n * 1000.25
            assert traits.get("plan") == (None if n % 2 else "gold")
        for n in range(1, 31):
            user = users[f"u-{n}"]
            assert (user["email"], user["name"]) == (f"person{n}@example.com", f"Person {n}")
            assert [account["externalId"] for account in user["accounts"]] == [f"a-{1 + n % 12}"]

        terminal.run(script.replace("TARGET_VITALLY_FIRST_PUSH=true ", ""))
        assert writes(there) == 0


def test_the_row_that_the_page_shows_is_written_with_the_project_beside_it(
    terminal: Terminal, there: Sandbox
) -> None:
    """Its SCHEMA, made from this row, lacks columns that the project names."""
    row = re.findall(r"such as `(\{.*?\})`", (ROOT / PAGE).read_text(encoding="utf-8"))[0]
    (terminal.folder / "customers.jsonl").write_text(f"{row}\n")
    script = shell(
        PAGE, "TARGET_VITALLY_DRY_RUN=false TARGET_VITALLY_FIRST_PUSH=true meltano run tap-jsonl"
    )
    assert "its SCHEMA lacks arr_eur, plan" in terminal.run(script)
    assert writes(there) == 1
    assert held(there, "accounts")["a-1"]["name"] == "Example Mills"


def test_lines_of_json_are_written_once(terminal: Terminal, there: Sandbox) -> None:
    rows = [
        {"customer_no": f"a-{n}", "company": f"Company {n}", "plan": "gold", "arr_eur": n / 4}
        for n in range(1, 9)
    ]
    file = terminal.folder / "customers.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    script = shell(
        PAGE, "TARGET_VITALLY_DRY_RUN=false TARGET_VITALLY_FIRST_PUSH=true meltano run tap-jsonl"
    )
    terminal.run(script)
    assert writes(there) == len(rows)
    found = held(there, "accounts")
    assert [
        {
            "customer_no": row["externalId"],
            "company": row["name"],
            "plan": row["traits"]["plan"],
            "arr_eur": row["traits"]["vitally.custom.arr"],
        }
        for row in (found[str(row["customer_no"])] for row in rows)
    ] == rows
    terminal.run(script.replace("meltano run", "meltano run --full-refresh"))
    assert writes(there) == 0
