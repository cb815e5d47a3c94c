"""The servers that loaders and extractors talk to, all on loopback and ended with the run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import psycopg
import requests

from demo.processes import Vitally, running, sandbox
from field.programs import FieldError, program
from harness.postgres import over_tcp, running_postgres

S3_VARIABLES: Final = {
    "AWS_ACCESS_KEY_ID": "sandbox",
    "AWS_SECRET_ACCESS_KEY": "sandbox",
    "AWS_DEFAULT_REGION": "us-east-1",
}
ENDED_SECONDS: Final = 60


@dataclass(frozen=True)
class Servers:
    """Where they listen."""

    vitally: Vitally
    postgres: str
    """Address of a database, for the programs that take one."""
    postgres_port: int
    s3: str
    mariadb_port: int = 0


@contextmanager
def servers(folder: Path, accounts: int) -> Iterator[Servers]:
    """Run a sandbox, PostgreSQL and an S3."""
    with ExitStack() as stack:
        vitally = stack.enter_context(sandbox(accounts, datetime.now(UTC)))
        address = stack.enter_context(running_postgres())
        port = stack.enter_context(over_tcp(address))
        s3 = stack.enter_context(object_store(folder))
        with psycopg.connect(address) as connection:
            connection.execute("ALTER USER postgres PASSWORD 'sandbox'")
        yield Servers(vitally, address, port, s3)


@contextmanager
def object_store(folder: Path) -> Iterator[str]:
    """Run moto as an S3, and yield its address."""
    port = free_port()
    command = [program("moto_server", "moto"), "-H", "127.0.0.1", "-p", str(port)]
    with (
        (folder / "moto.log").open("w") as log,
        running(command, stdout=log, stderr=log) as process,
    ):
        address = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            return requests.get(address, timeout=5).ok

        wait_for(answers, process, "the S3 server", requests.ConnectionError)
        yield address


@contextmanager
def mariadb(folder: Path) -> Iterator[int]:
    """Run MariaDB with the data in a folder, and yield its port."""
    server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    if not server:
        msg = "MariaDB is not installed: apt-get install mariadb-server-core mariadb-client-core"
        raise FieldError(msg)
    data, port = folder / "mariadb", free_port()
    user = ["--user=root"] if os.getuid() == 0 else []
    made = [
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={data}",
        "--auth-root-authentication-method=normal",
    ]
    subprocess.run([*made, *user], check=True, capture_output=True)
    command = [
        server,
        "--no-defaults",
        f"--datadir={data}",
        f"--socket={data}/mariadb.sock",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        *user,
    ]
    with (
        (folder / "mariadb.log").open("w") as log,
        running(command, stdout=log, stderr=log) as process,
    ):

        def answers() -> bool:
            return mariadb_run(folder, "SELECT 1") == 0

        wait_for(answers, process, "MariaDB")
        yield port


def mariadb_run(folder: Path, statements: str) -> int:
    """Run statements of SQL as the administrator, and return the exit code."""
    command = [
        "mariadb",
        "--no-defaults",
        f"--socket={folder}/mariadb/mariadb.sock",
        "--user=root",
        "--default-character-set=utf8mb4",
    ]
    done = subprocess.run(command, input=statements, text=True, capture_output=True, check=False)
    return done.returncode


def wait_for(
    true: Callable[[], bool],
    process: subprocess.Popen[str],
    what: str,
    *expected: type[Exception],
    seconds: int = ENDED_SECONDS,
    pause: float = 0.1,
) -> None:
    """Wait until something is true of a server; refuse one that ends before, or takes too long."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            if true():
                return
        except expected:
            pass
        time.sleep(pause)
    msg = f"{what} does not answer; its log is in the folder of the run"
    raise FieldError(msg)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port
