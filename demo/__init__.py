"""Shows the whole way from a Vitally to a warehouse, without a Vitally: ``make demo``.

Starts the sandbox, lets Meltano run the tap into DuckDB, lets a day go by, runs it again, and
compares the tables with what the sandbox holds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import requests
import yaml

from tap_vitally.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_vitally.client import VitallyStream

ROOT: Final = Path(__file__).parent.parent
DATABASE: Final = ROOT / "output" / "vitally.duckdb"
LOG: Final = ROOT / "output" / "demo.log"
RUN: Final = ("run", "tap-vitally", "target-duckdb")
SHOWN: Final[Mapping[str, type[VitallyStream]]] = {
    stream.name: stream for stream in STREAMS if stream.selected_by_default
}
ACCOUNT_OF_RUNS: Final = "vitally_sync_runs"
ENDING_SECONDS: Final = 10
MOST_LINES: Final = 15

Row = dict[str, Any]


class DemoError(Exception):
    """What stopped the demo, in one line."""


def main() -> int:
    """Run the demo.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__.partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=50, help="size of the made-up workspace")
    accounts = parser.parse_args().accounts
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with tempfile.TemporaryDirectory(prefix="vitally-demo-") as folder:
            show(accounts, Path(folder))
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def show(accounts: int, folder: Path) -> None:
    """Go through all steps.

    Args:
        accounts: How many accounts the sandbox has.
        folder: Where the demo may leave what is not to be kept.

    Raises:
        DemoError: A step failed, or the tables do not hold what they should.
    """
    DATABASE.parent.mkdir(exist_ok=True)
    for leftover in (LOG, DATABASE, DATABASE.with_name(f"{DATABASE.name}.wal")):
        leftover.unlink(missing_ok=True)
    with sandbox(accounts) as vitally:
        print(f"A sandbox plays a Vitally of {accounts} customers at {vitally.url}.")
        meltano = Meltano(folder, vitally)

        print(f"\nFirst run: meltano {shlex.join(RUN)}\n")
        print(first_report(meltano.run()))

        changes = vitally.post("day")
        told = ", ".join(f"{count} {what}" for what, count in sorted(changes.items()))
        print(f"\nA day goes by in the sandbox, with {sum(changes.values())} changes:\n")
        print(textwrap.fill(told, width=96, initial_indent="  ", subsequent_indent="  "))

        before = folder / "before.duckdb"
        shutil.copyfile(DATABASE, before)
        print(f"\nSecond run: meltano {shlex.join(RUN)}\n")
        print(second_report(meltano.run(), before))

        truth = {stream: vitally.truth(stream) for stream in SHOWN}
    with duckdb.connect(str(DATABASE), read_only=True) as database:
        wrong = [line for name in SHOWN for line in differences(database, name, truth[name])]
    if wrong:
        more = f"; and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        msg = f"the tables differ from what the sandbox holds: {wrong[0]}{more}"
        raise DemoError(msg)
    rows = sum(map(len, truth.values()))
    print(f"\nChecked: all {rows:,} rows of {len(truth)} tables equal what the sandbox holds now.")
    print(farewell())


@dataclass(frozen=True)
class Vitally:
    """The sandbox, seen from outside.

    Attributes:
        url: Where it listens.
    """

    url: str

    def truth(self, stream: str) -> list[Row]:
        """Return the rows that a table should hold."""
        rows: list[Row] = self._ask("GET", f"truth/{stream}")["rows"]
        return rows

    def post(self, what: str) -> Any:
        """Make something happen, and return what did."""
        return self._ask("POST", what)

    def requests_made(self) -> int:
        """Return how many requests came in, and start counting anew."""
        count: int = self._ask("GET", "requests")["count"]
        self._ask("DELETE", "requests")
        return count

    def _ask(self, method: str, path: str) -> Any:
        with requests.Session() as session:
            session.trust_env = False  # no proxy leads to this machine
            answer = session.request(method, f"{self.url}/control/{path}", timeout=60)
        if not answer.ok:
            msg = f"the sandbox answered {answer.status_code} to {method} {path}"
            raise DemoError(msg)
        return answer.json()


@contextmanager
def sandbox(accounts: int) -> Iterator[Vitally]:
    """Run a sandbox on a free port.

    Args:
        accounts: Its size.

    Yields:
        The sandbox, ready to be asked.

    Raises:
        DemoError: It did not start.
    """
    command = [sys.executable, "-m", "sandbox", "--accounts", str(accounts)]
    with running(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        address = re.search(r"http://[\w.:]+", line)
        if not address:
            msg = "the sandbox did not start; its own message is above"
            raise DemoError(msg)
        yield Vitally(address[0])


@contextmanager
def running(command: Sequence[str], **how: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a process that ends with the context, and everything it started with it.

    Args:
        command: The command line.
        **how: As for `subprocess.Popen`.

    Yields:
        The process.

    Raises:
        DemoError: There is no such program.
    """
    try:
        process = subprocess.Popen(command, start_new_session=True, **how)
    except FileNotFoundError as error:
        msg = f"{error.filename} is not there: run make demo, which installs it"
        raise DemoError(msg) from None
    try:
        yield process
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            # Its own children may outlive it in its process group.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(ENDING_SECONDS)
        if process.stdout:
            process.stdout.close()


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        rows: Rows now in the tables, by stream.
        records: Records read, by stream.
        requests: Requests made, by stream.
        seconds: Seconds that the tap spent in each stream.
        total_requests: Requests that the sandbox saw.
        total_seconds: Seconds that the whole command took.
    """

    rows: Mapping[str, int]
    records: Mapping[str, int]
    requests: Mapping[str, int]
    seconds: Mapping[str, float]
    total_requests: int
    total_seconds: float


class Meltano:
    """A Meltano project like the one of this repository, with everything already installed."""

    def __init__(self, folder: Path, vitally: Vitally) -> None:
        """Set up the project.

        Args:
            folder: Where to.
            vitally: What the tap is to read.
        """
        self._folder = folder
        self._vitally = vitally
        self._program = program("meltano")
        project = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
        tap = plugin(project, "extractors", "tap-vitally")
        tap["executable"] = str(Path(sys.executable).with_name("tap-vitally"))
        tap["select"].append(f"{ACCOUNT_OF_RUNS}.*")
        target = plugin(project, "loaders", "target-duckdb")
        target["executable"] = program("target-duckdb")
        text = yaml.safe_dump(project, sort_keys=False)
        (folder / "meltano.yml").write_text(text, encoding="utf-8")
        others = ("TAP_VITALLY_", "TARGET_DUCKDB_", "MELTANO_")
        surveys = {row["surveyId"] for row in vitally.truth("survey_responses")}
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(others)},
            "TAP_VITALLY_API_KEY": "sandbox",
            "TAP_VITALLY_API_URL": vitally.url,
            "TAP_VITALLY_SURVEY_IDS": json.dumps(sorted(surveys)),
            "TARGET_DUCKDB_PATH": str(DATABASE),
        }

    def run(self) -> Report:
        """Run the tap and the target.

        Returns:
            What the run did.

        Raises:
            DemoError: The run failed.
        """
        self._vitally.requests_made()
        began = time.monotonic()
        command = [self._program, "--log-format=json", *RUN]
        with (
            LOG.open("ab") as log,
            running(
                command, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            ) as process,
        ):
            code = process.wait()
        seconds = time.monotonic() - began
        lines = [json.loads(line) for line in LOG.read_text().splitlines() if line[:1] == "{"]
        if code:
            for line in lines[-MOST_LINES:]:
                print(line.get("event", line), file=sys.stderr)
            msg = f"meltano ended with exit code {code}; all it said is in {short(LOG)}"
            raise DemoError(msg)
        return self._report(lines, seconds)

    def _report(self, lines: Iterable[Row], seconds: float) -> Report:
        metrics = [line["metric_info"] for line in lines if "metric_info" in line]
        with duckdb.connect(str(DATABASE), read_only=True) as database:
            account = database.execute(
                f"SELECT stream, records, requests FROM {ACCOUNT_OF_RUNS} WHERE startedat = "  # noqa: S608
                f"(SELECT max(startedat) FROM {ACCOUNT_OF_RUNS})"
            ).fetchall()
            return Report(
                rows={name: count(database, name) for name in SHOWN},
                records={stream: records for stream, records, _ in account},
                requests={stream: requests for stream, _, requests in account},
                seconds={
                    metric["tags"]["stream"]: metric["value"]
                    for metric in metrics
                    if metric["metric"] == "sync_duration"
                },
                total_requests=self._vitally.requests_made(),
                total_seconds=seconds,
            )


def plugin(project: Mapping[str, Any], kind: str, name: str) -> Row:
    """Find a plugin in a Meltano project, and keep Meltano from installing it."""
    found: Row = next(item for item in project["plugins"][kind] if item["name"] == name)
    del found["pip_url"]
    return found


def program(name: str) -> str:
    """Find a program that `make tools` has installed."""
    variable = name.upper().replace("-", "_")
    return os.environ.get(variable) or str(ROOT / ".venvs" / name / "bin" / name)


def count(database: duckdb.DuckDBPyConnection, stream: str) -> int:
    """Count the rows of a table; no table is no rows."""
    try:
        found = database.execute(f'SELECT count(*) FROM "{stream}"').fetchone()  # noqa: S608
    except duckdb.CatalogException:
        return 0
    return int(found[0]) if found else 0


def first_report(report: Report) -> str:
    """Draw what the first run did."""
    rows = [
        (
            name,
            f"{report.rows[name]:,}",
            str(report.requests.get(name, 0)),
            f"{report.seconds.get(name, 0):.2f}",
        )
        for name in SHOWN
    ]
    total = (f"{sum(report.rows.values()):,}", *totals(report))
    return table(("stream", "rows in DuckDB", "requests", "seconds"), rows, ("all", *total))


def second_report(report: Report, before: Path) -> str:
    """Draw what the second run read and wrote.

    Args:
        report: What it did.
        before: A copy of the database from before.
    """
    rows = []
    sums: Counter[str] = Counter()
    with duckdb.connect(str(DATABASE), read_only=True) as database:
        database.execute(f"ATTACH '{before}' AS before (READ_ONLY)")
        for name in SHOWN:
            new = report.rows[name] - count(database, f'before"."main"."{name}')
            own = ", ".join(f'"{column}"' for column in columns_of(name))
            sql = f'SELECT {own} FROM "{name}" EXCEPT SELECT {own} FROM before.main."{name}"'  # noqa: S608
            changed = len(database.execute(sql).fetchall())
            figures = {
                "rows": report.rows[name],
                "read": report.records.get(name, 0),
                "new": new,
                "changed": changed - new,
                "requests": report.requests.get(name, 0),
            }
            sums.update(figures)
            seconds = f"{report.seconds.get(name, 0):.2f}"
            rows.append((name, *(f"{figure:,}" for figure in figures.values()), seconds))
    head = ("stream", "rows in DuckDB", "records read", "rows new", "rows changed", "requests")
    all_figures = [f"{sums[name]:,}" for name in ("rows", "read", "new", "changed")]
    return table((*head, "seconds"), rows, ("all", *all_figures, *totals(report)))


def totals(report: Report) -> tuple[str, str]:
    """Return all requests, the one that proves the key included, and all seconds."""
    return f"{report.total_requests:,}", f"{report.total_seconds:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]) -> str:
    """Draw a table."""
    lines = [head, *rows, total]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    drawn = [
        "  " + "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    rule = "  " + "-" * (len(drawn[0]) - 2)
    return "\n".join([drawn[0], rule, *drawn[1:-1], rule, drawn[-1]])


def differences(
    database: duckdb.DuckDBPyConnection, stream: str, truth: Sequence[Row]
) -> Iterator[str]:
    """Compare a table with what it should hold.

    Args:
        database: Where the table is.
        stream: Its name.
        truth: The rows of the stream, as the sandbox has them.

    Yields:
        A line for each row that is missing, too many or different.
    """
    keys = SHOWN[stream].primary_keys
    kinds = {
        name.lower(): declared for name, declared in SHOWN[stream].schema["properties"].items()
    }
    try:
        cursor = database.execute(f'SELECT * FROM "{stream}"')  # noqa: S608
    except duckdb.CatalogException:
        cursor = database.execute("SELECT NULL WHERE false")
    columns = [column[0] for column in cursor.description or ()]
    found = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    loaded = {tuple(row[key.lower()] for key in keys): row for row in found}
    wanted = {tuple(row[key] for key in keys): row for row in truth}
    for key in loaded.keys() - wanted.keys():
        yield f"{stream} {'/'.join(key)} should not be there"
    for key, row in wanted.items():
        if key not in loaded:
            yield f"{stream} {'/'.join(key)} is missing"
            continue
        for name, value in row.items():
            column = name.lower()
            kind = kinds.get(column)
            if kind and from_duckdb(loaded[key][column], kind) != as_loaded(value, kind):
                yield f"{stream} {'/'.join(key)} has another {name}"


def columns_of(stream: str) -> dict[str, Row]:
    """Return what each column of a table is declared as; those of the loader are not among them."""
    return {name.lower(): how for name, how in SHOWN[stream].schema["properties"].items()}


def from_duckdb(value: Any, declared: Mapping[str, Any]) -> Any:
    """Undo what the target did to a value to fit it into a column."""
    if isinstance(value, str) and {"array", "object"} & set(declared["type"]):
        return json.loads(value)
    return value


def as_loaded(value: Any, declared: Mapping[str, Any]) -> Any:
    """Do to a value what the target does: moments lose their zone, empty text is NULL."""
    if isinstance(value, str):
        if declared.get("format") == "date-time":
            return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None)
        return value or None
    return value


def farewell() -> str:
    """Say how to go on."""
    look = (
        f"import duckdb; db = duckdb.connect('{short(DATABASE)}', read_only=True); "
        "db.sql('SHOW TABLES').show()"
    )
    newest = "SELECT name, mrr, healthscore, churnedat FROM accounts ORDER BY updatedat DESC"
    runs = f"FROM {ACCOUNT_OF_RUNS} ORDER BY startedat, stream"
    return f"""
The tables are in {short(DATABASE)}. To look into them:

  {short(Path(sys.executable))} -i -c "{look}"

and then, for example:

  db.sql('{newest}')
  db.sql('{runs}')
"""


def short(path: Path) -> Path:
    """Name a file of this repository from its top."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


if __name__ == "__main__":
    sys.exit(main())
