"""Whatever goes wrong on the way: a run brings everything, or says in one line why it does not.

And in either case the run after it brings everything.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, get_args
from unittest import mock

import pytest
import trustme

from harness.hunt import Pipe, read, waits_pass_in_no_time
from harness.support import (
    Result,
    Row,
    Warehouse,
    command,
    config_for,
    run_command,
)
from sandbox import Entry, Fault, Sandbox, World, serve
from sandbox.faults import Kind
from vitally_api import Budget, VitallyError

STREAM = "notes"
SELECT = ["account_users", STREAM]
OFTEN = 4
"""More often than the tap's pool has connections, and less often than its patience lasts."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    world = World(seed=2, accounts=6, sizes={"notes": 12, "users": 8})
    with serve(world) as sandbox:
        yield sandbox


@pytest.fixture
def hurry() -> Iterator[None]:
    with waits_pass_in_no_time():
        yield


def config(url: str, **settings: Any) -> Row:
    return config_for(url, **{"page_size": 3, "concurrency": 2, "request_timeout": 5, **settings})


def run(sandbox: Sandbox, warehouse: Warehouse, **settings: Any) -> VitallyError | None:
    """Run the tap in this process, into a warehouse; return what it failed with."""
    pipe = Pipe()
    failure = None
    try:
        read(config(sandbox.url, **settings), select=SELECT, state=warehouse.state, collector=pipe)
    except VitallyError as caught:
        failure = caught
    warehouse.load(pipe.messages)
    return failure


def everything(sandbox: Sandbox, warehouse: Warehouse) -> bool:
    return all(not warehouse.differences(name, sandbox.world.truth(name)) for name in SELECT)


def helps(line: str) -> bool:
    """Whether a message says in one line what happened and what to do about it."""
    remedies = ("Check", "Run again", "run again", "run later", "support", "set max_", "name its")
    return "\n" not in line and any(remedy in line for remedy in remedies)


# What passes: the run brings everything.

PASSING: dict[str, Callable[..., Fault]] = {
    **{
        str(status): lambda status=status, **how: Fault("status", status=status, **how)
        for status in (500, 502, 503, 504)
    },
    "429": lambda **how: Fault("status", status=429, **how),
    "429 with reset": lambda **how: Fault(
        "status", status=429, headers={"RateLimit-Reset": "7"}, **how
    ),
    "429 with retry-after": lambda **how: Fault(
        "status", status=429, headers={"Retry-After": "7"}, **how
    ),
    **{
        kind: lambda kind=kind, **how: Fault(kind, **how)
        for kind in (
            "broken_gzip",
            "empty_page_with_next",
            "error_200",
            "html_200",
            "repeat_cursor",
            "reset_before",
            "reset_mid_body",
            "truncated_chunked",
            "truncated_with_length",
        )
    },
}
HARMLESS: dict[str, Callable[..., Fault]] = {
    kind: lambda kind=kind, **how: Fault(kind, **how)
    for kind in ("duplicate_rows", "no_date", "out_of_order", "wrong_content_type")
}
"""What is no reason even to try again."""
ODD_VALUES: dict[Kind, dict[str, Any]] = {
    "big_page": {"megabytes": 50},
    "deep_json": {"depth": 100_000},
    "huge_number": {"digits": 20_000},
    "invalid_utf8": {},
    "lone_surrogate": {},
    "nul_chars": {},
}
ELSEWHERE = {"cursor_refused", "redirect", "slow_drip", "stall", "status"}
"""Kinds that have a test of their own below."""


def test_every_fault_is_tried() -> None:
    tried = {*PASSING, *HARMLESS, *ODD_VALUES, *ELSEWHERE}
    assert set(get_args(Kind)) <= tried


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("name", [*PASSING, *HARMLESS])
def test_what_passes_costs_nothing_but_time(sandbox: Sandbox, name: str) -> None:
    fault = (PASSING | HARMLESS)[name](path="notes?archived=false", times=OFTEN)
    sandbox.faults.append(fault)
    warehouse = Warehouse()
    assert run(sandbox, warehouse, page_size=2) is None
    assert fault._struck == OFTEN
    assert everything(sandbox, warehouse)
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("path", ["accounts", "accounts/*/users"])
@pytest.mark.parametrize("name", ["502", "429", "reset_mid_body"])
def test_what_passes_for_parents_and_children(sandbox: Sandbox, name: str, path: str) -> None:
    sandbox.faults.append(PASSING[name](path=path, times=2))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.parametrize("header", ["RateLimit-Reset", "Retry-After"])
def test_a_429_holds_everybody_for_as_long_as_it_says(sandbox: Sandbox, header: str) -> None:
    held: list[float] = []
    headers = {header: "7"}
    sandbox.faults.append(Fault("status", path="notes", status=429, headers=headers, times=3))
    warehouse = Warehouse()
    with mock.patch.object(Budget, "pause", lambda _, seconds: held.append(seconds)):
        assert run(sandbox, warehouse) is None
    assert held == [7.0] * 3
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
def test_429s_for_longer_than_a_window_are_outlived(sandbox: Sandbox) -> None:
    full = Fault("status", path="notes", status=429, headers={"RateLimit-Reset": "60"}, times=4)
    sandbox.faults.append(full)
    warehouse = Warehouse()
    assert run(sandbox, warehouse, concurrency=1) is None
    assert full._struck == 4
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("kind", ODD_VALUES)
def test_odd_values_are_passed_on_or_mended(sandbox: Sandbox, kind: Kind) -> None:
    sandbox.faults.append(Fault(kind, path="notes", times=1, **ODD_VALUES[kind]))
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert failure is None or helps(str(failure))
    if failure is None:
        keys = {tuple(map(str, key)) for key in sandbox.world.truth(STREAM)}
        assert warehouse.tables[STREAM].keys() == keys
    for key in sandbox.world.ids(STREAM):
        sandbox.world.update(STREAM, key, subject="changed")
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


def test_silence_ends_with_the_timeout(sandbox: Sandbox) -> None:
    sandbox.faults.append(Fault("stall", path="notes", seconds=60, times=OFTEN))
    warehouse = Warehouse()
    with mock.patch.object(Budget, "sleep"):
        assert run(sandbox, warehouse, request_timeout=0.3) is None
    assert everything(sandbox, warehouse)


def test_a_trickle_is_waited_for_while_it_comes_to_an_end(sandbox: Sandbox) -> None:
    assert run(sandbox, Warehouse(), request_timeout=1) is None
    asked = sandbox.requests.by_path()
    sandbox.requests.clear()
    sandbox.faults.append(Fault("slow_drip", path="notes", seconds=0.01, pieces=20, times=2))
    warehouse = Warehouse()
    assert run(sandbox, warehouse, request_timeout=1) is None
    assert everything(sandbox, warehouse)
    assert sandbox.requests.by_path() == asked


def test_a_trickle_that_does_not_is_left(sandbox: Sandbox) -> None:
    drip = Fault("slow_drip", path="notes", seconds=0.05, pieces=10_000, times=1)
    sandbox.faults.append(drip)
    sandbox.gzip = False
    warehouse = Warehouse()
    with mock.patch.object(Budget, "sleep"):
        assert run(sandbox, warehouse, request_timeout=0.1) is None
    assert drip._struck == 1
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("after", range(4))
def test_a_cursor_refused_in_mid_pass_starts_the_list_again(sandbox: Sandbox, after: int) -> None:
    sandbox.faults.append(Fault("cursor_refused", path="notes", after=after, times=1))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


# What lasts: the run fails with one line, and the next run brings everything.

LASTING = {name: make for name, make in PASSING.items() if name != "empty_page_with_next"}


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize(
    "name", [name for name in LASTING if not name.startswith("429")] + ["cursor_refused"]
)
def test_what_lasts_fails_with_one_line(sandbox: Sandbox, name: str) -> None:
    make = LASTING.get(name) or (lambda **how: Fault("cursor_refused", **how))
    sandbox.faults.append(make(path="notes"))
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert failure
    assert helps(str(failure))
    assert "/resources/notes" in str(failure)
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
def test_a_list_of_empty_pages_without_end(sandbox: Sandbox) -> None:
    """Each page points to another: only somebody who counts finds out."""
    sandbox.faults.append(Fault("empty_page_with_next", path="notes"))

    def have_mercy(entry: Entry) -> None:
        if entry.number > 5000:
            sandbox.faults.clear()

    sandbox.before_request = have_mercy
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert failure
    assert helps(str(failure))
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


@pytest.mark.usefixtures("hurry")
@pytest.mark.parametrize("name", ["500", "html_200", "reset_before", "truncated_with_length"])
def test_what_lasts_for_one_parent_costs_that_parent(sandbox: Sandbox, name: str) -> None:
    unlucky = sandbox.world.ids("accounts")[1]
    sandbox.faults.append(LASTING[name](path=f"accounts/{unlucky}/users"))
    warehouse = Warehouse()
    assert run(sandbox, warehouse) is None
    missing = warehouse.differences("account_users", sandbox.world.truth("account_users"))
    assert {key[0] for key in missing.get("missing", [])} == {unlucky}
    sandbox.faults.clear()
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


HURRIED = """
from harness.hunt import waits_pass_in_no_time
from tap_vitally.__main__ import main as run_command
with waits_pass_in_no_time():
    run_command()
"""


def hurried(folder: Path, url: str, **settings: Any) -> Result:
    """Run the tap as a process of its own, in which waiting takes no time."""
    files = command(folder, config(url, **settings), select=SELECT)[3:]
    return run_command([sys.executable, "-c", HURRIED, *files], timeout=60)


def failed_in_one_line(result: Result) -> str:
    """See that a process ended as it should; return what it said last."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    last = result.stderr.rstrip().splitlines()[-1]
    assert "| ERROR " in last
    assert helps(last)
    return last


@pytest.mark.parametrize("name", ["503", "html_200"])
def test_a_process_says_it_last(sandbox: Sandbox, name: str, tmp_path: Path) -> None:
    sandbox.faults.append(PASSING[name](path="notes"))
    result = hurried(tmp_path, sandbox.url)
    assert "/resources/notes" in failed_in_one_line(result)
    sandbox.faults.clear()
    warehouse = Warehouse()
    warehouse.load(result.messages)
    assert run(sandbox, warehouse) is None
    assert everything(sandbox, warehouse)


def test_redirects_lead_nowhere(sandbox: Sandbox, tmp_path: Path) -> None:
    with serve(World(accounts=1)) as elsewhere:
        sandbox.faults.append(
            Fault("redirect", path="notes", location=f"{elsewhere.url}/resources/notes")
        )
        result = hurried(tmp_path, sandbox.url)
        assert elsewhere.requests == []
    assert "redirects" in failed_in_one_line(result)


# Where there is no server, or none that can be trusted.


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_refused_connection_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(seed=2, accounts=6, sizes={"notes": 12, "users": 8})
    port = free_port()
    waits: list[float] = []
    warehouse = Warehouse()
    with ExitStack() as later:
        started: list[Sandbox] = []

        def sleep(_: Budget, seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 5:
                started.append(later.enter_context(serve(world, port=port)))

        monkeypatch.setattr(Budget, "sleep", sleep)
        pipe = Pipe()
        url = f"http://127.0.0.1:{port}"
        read(config(url), select=SELECT, collector=pipe)
        warehouse.load(pipe.messages)
        assert everything(started[0], warehouse)


def test_a_connection_that_stays_refused(tmp_path: Path) -> None:
    result = hurried(tmp_path, f"http://127.0.0.1:{free_port()}")
    assert "refused" in failed_in_one_line(result)


@pytest.mark.parametrize("times", [2, None])
@pytest.mark.usefixtures("hurry")
def test_a_name_that_is_not_found(
    sandbox: Sandbox, times: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    asked: list[Any] = []

    def getaddrinfo(*args: Any, **kwargs: Any) -> Any:
        asked.append(args[0])
        if times is None or len(asked) <= times:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    warehouse = Warehouse()
    failure = run(sandbox, warehouse)
    assert "127.0.0.1" in asked
    if times:
        assert failure is None
        assert everything(sandbox, warehouse)
    else:
        assert "host name was not found" in str(failure)
        assert helps(str(failure))


@contextmanager
def tls_in_front_of(sandbox: Sandbox, authority: trustme.CA) -> Iterator[str]:
    """Speak TLS with a certificate of an authority, and pass all bytes on to the sandbox."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    inner = sandbox.url.removeprefix("http://").split(":")

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                contextlib.suppress(OSError),
                socket.create_connection((inner[0], int(inner[1]))) as behind,
                context.wrap_socket(self.request, server_side=True) as front,
            ):
                back = threading.Thread(target=pump, args=(behind, front), daemon=True)
                back.start()
                pump(front, behind)
                back.join()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Forward) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_certificate_nobody_vouches_for(sandbox: Sandbox, tmp_path: Path) -> None:
    with tls_in_front_of(sandbox, trustme.CA()) as url:
        result = hurried(tmp_path, url)
    last = failed_in_one_line(result)
    assert "certificate" in last
    assert "REQUESTS_CA_BUNDLE" in last
    assert sandbox.requests == []


def test_a_certificate_that_is_vouched_for(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    warehouse = Warehouse()
    pipe = Pipe()
    with tls_in_front_of(sandbox, authority) as url:
        read(config(url), select=SELECT, collector=pipe)
    warehouse.load(pipe.messages)
    assert everything(sandbox, warehouse)


def test_a_server_that_speaks_no_tls(sandbox: Sandbox, tmp_path: Path) -> None:
    result = hurried(tmp_path, sandbox.url.replace("http:", "https:"))
    assert "No TLS connection" in failed_in_one_line(result)
