"""Nothing is written twice: what is sent again, and what only the caller may send again."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.vitally_api.wire import Client, Hasty, Reply, Server, free_port
from vitally_api import Budget, Unavailable, Unreadable, WriteOutcomeUnknown

WRITES = ("POST", "PUT", "DELETE")
DONE = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

BreakOff = Callable[[socket.socket], None]


class Careless(ThreadingTCPServer):
    """Reads each request whole, and then does to the connection what it is told."""

    daemon_threads = True

    def __init__(self, break_off: BreakOff) -> None:
        self.break_off = break_off
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), CarelessHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class CarelessHandler(StreamRequestHandler):
    server: Careless

    def handle(self) -> None:
        asked, length = self.rfile.readline().decode(), 0
        while (line := self.rfile.readline().strip()) != b"":
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        self.rfile.read(length)
        self.server.asked.append(asked.split()[0])
        with contextlib.suppress(OSError):
            self.server.break_off(self.request)


@contextlib.contextmanager
def running(server: Careless) -> Iterator[Careless]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def stop_half_way(connection: socket.socket) -> None:
    connection.sendall(DONE + b'{"id"')


def talk_nonsense(connection: socket.socket) -> None:
    connection.sendall(b"no answer of any protocol\r\n\r\n")


def damage(connection: socket.socket) -> None:
    compressed = DONE.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")
    connection.sendall(compressed + b"\x1f\x8bdamaged!")


# Where the answer is lost


@pytest.mark.parametrize("method", WRITES)
@pytest.mark.parametrize("break_off", [reset, hang_up, stop_half_way, talk_nonsense, damage])
def test_a_write_that_was_taken_is_left_to_the_caller(method: str, break_off: BreakOff) -> None:
    with running(Careless(break_off)) as server:
        client = Client(server.url, patience=60)
        with pytest.raises(
            WriteOutcomeUnknown, match="not known whether the request was carried out"
        ):
            client.send(method, "/notes/1", body={"note": "once"})
        assert server.asked == [method]
    assert client.metrics.retries == 0


@pytest.mark.parametrize("break_off", [reset, hang_up, stop_half_way, talk_nonsense, damage])
def test_a_read_is_sent_again_whatever_became_of_it(break_off: BreakOff) -> None:
    def at_first(connection: socket.socket) -> None:
        if len(server.asked) < 3:
            break_off(connection)
        else:
            connection.sendall(DONE + b'{"id":"1"}')

    with running(Careless(at_first)) as server:
        assert Client(server.url, patience=60).get().data == {"id": "1"}
        assert server.asked == ["GET"] * 3


def test_a_write_that_broke_off_inside_tls_is_left_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))

    class Secret(Careless):
        def get_request(self) -> tuple[socket.socket, Any]:
            plain, address = super().get_request()
            return context.wrap_socket(plain, server_side=True), address

    def break_the_seal(connection: socket.socket) -> None:
        with socket.socket(fileno=connection.detach()) as below:
            below.sendall(b"nothing that TLS knows")

    with running(Secret(break_the_seal)) as server:
        client = Client(server.url.replace("http:", "https:"))
        with pytest.raises(Unavailable) as caught:
            client.send("POST", "/notes", body={"note": "once"})
        assert server.asked == ["POST"]
    assert isinstance(caught.value, WriteOutcomeUnknown)


def test_a_failure_is_not_taken_for_the_one_that_was_being_handled() -> None:
    with running(Careless(reset)) as server:
        try:
            Client(f"http://127.0.0.1:{free_port()}").get()
        except Unavailable:
            with pytest.raises(WriteOutcomeUnknown, match="The connection broke"):
                Client(server.url).send("POST", "/notes", body={})
        assert server.asked == ["POST"]


# Where nothing was done


@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_nobody_took_is_sent_again(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    server = serve(Reply(429, headers={"Retry-After": "2"}), Reply(body=b'{"id": "1"}'))
    real = socket.socket.connect
    failures: list[Exception] = [
        ConnectionRefusedError(),
        socket.gaierror(socket.EAI_NONAME, "unknown"),
        TimeoutError(),
    ]

    def connect(self: socket.socket, address: Any) -> None:
        if failures:
            raise failures.pop()
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    client = Client(server.url, patience=60)
    assert client.send(method, "/notes/1", body={"note": "x"}).data == {"id": "1"}
    assert [asked["method"] for asked in server.asked] == [method] * 2
    assert [json.loads(asked["body"]) for asked in server.asked] == [{"note": "x"}] * 2
    assert client.metrics.retries == 4


def test_a_write_waits_for_a_server_that_is_not_up_yet(serve: Callable[..., Server]) -> None:
    def start_at_the_third(sleep: int) -> None:
        if sleep == 3:
            started.append(serve(Reply(body=b'{"id": "1"}'), port=port))

    port, started = free_port(), list[Server]()
    client = Client(
        f"http://127.0.0.1:{port}", patience=60, budget=Hasty(on_sleep=start_at_the_third)
    )
    assert client.send("POST", "/notes", body={}).data == {"id": "1"}
    assert len(started[0].asked) == 1


# What comes back


@pytest.mark.parametrize("method", WRITES)
def test_an_answer_without_a_body_is_one(serve: Callable[..., Server], method: str) -> None:
    answer: Any = Client(serve(Reply(204, b"")).url).send(method, "/notes/1")
    assert (answer.data, answer.size) == (None, 0)


@pytest.mark.parametrize("method", WRITES)
def test_an_error_in_place_of_the_record_is_for_the_caller_to_judge(
    serve: Callable[..., Server], method: str
) -> None:
    def record(body: Any) -> Any:
        if "error" in body:
            msg = "an error in place of data"
            raise Unreadable(msg)
        return body

    server = serve(Reply(body=b'{"error": "no such account"}'))
    client = Client(server.url, patience=60)
    assert client.send(method, "/notes", body={}).data == {"error": "no such account"}
    with pytest.raises(WriteOutcomeUnknown, match="an error in place of data"):
        client.send(method, "/notes", body={}, parse=record)
    assert len(server.asked) == 2


# What is sent

bodies = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 80), 1 << 80)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc.Zö"), inner),
    max_leaves=8,
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.text("abc.Zö", min_size=1), bodies))
def test_what_is_sent_is_what_arrives(serve: Callable[..., Server], body: dict[str, Any]) -> None:
    server = serve()
    Client(server.url).send("POST", "/accounts", body=body)
    (asked,) = server.asked

    def number(text: str) -> Decimal:
        return Decimal(text)

    def same(sent: Any, arrived: Any) -> bool:
        match sent:
            case dict():
                return sent.keys() == arrived.keys() and all(
                    same(v, arrived[k]) for k, v in sent.items()
                )
            case list():
                return len(sent) == len(arrived) and all(map(same, sent, arrived))
            case Decimal():
                return Decimal(arrived) == sent
            case _:
                return type(arrived) is type(sent) and bool(arrived == sent)

    assert same(body, json.loads(asked["body"], parse_float=number))


# What it costs


@pytest.mark.parametrize("cost", [1, 2, 5])
def test_what_a_write_costs_is_learned_from_the_answers(
    serve: Callable[..., Server], cost: int
) -> None:
    def reported(left: int) -> Reply:
        return Reply(
            headers={"RateLimit-Limit": "100", "RateLimit-Remaining": str(left)},
        )

    lefts = [99, *(99 - cost * n for n in range(1, 4))]
    budget: Budget = Hasty()
    client = Client(serve(*map(reported, lefts)).url, budget=budget)
    client.get()
    for _ in range(3):
        client.send("PUT", "/notes/1", body={})
    assert budget.left() == lefts[-1]
    turn = budget.acquire("PUT")
    assert turn.units == cost
    assert budget.left() == lefts[-1] - cost


@pytest.mark.parametrize("refusal", [Reply(429, headers={"RateLimit-Remaining": "3"}), Reply(503)])
def test_what_was_not_carried_out_shows_no_cost(
    serve: Callable[..., Server], refusal: Reply
) -> None:
    def reported(left: int) -> Reply:
        return Reply(headers={"RateLimit-Limit": "100", "RateLimit-Remaining": str(left)})

    budget: Budget = Hasty()
    refused = [reported(3), refusal] * 3
    client = Client(serve(*refused, *map(reported, (99, 94, 89, 84))).url, budget=budget)
    for _ in range(3):
        client.get()
        with pytest.raises(Unavailable):
            client.send("POST", "/notes", body={})
    client.get()
    for _ in range(3):
        client.send("POST", "/notes", body={})
    assert budget.acquire("POST").units == 5
