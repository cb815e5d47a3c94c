"""The process around the world: log, control, start and end."""

from __future__ import annotations

import gzip
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests

from sandbox import World
from tests.sandbox.client import ROOT, Client, running
from tests.sandbox.test_misbehaviour import spoil


def test_compression_is_for_those_who_accept_it(lively: Client) -> None:
    url = f"{lively.sandbox.url}/resources/users"
    plain = lively.get(url, headers={"Accept-Encoding": "identity"}, timeout=20)
    assert "Content-Encoding" not in plain.headers
    with lively.get(url, stream=True, timeout=20) as compressed:
        assert compressed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(compressed.raw.read()) == plain.content
    with running(gzip=False) as client:
        assert "Content-Encoding" not in client.ask("users").headers


def test_requests_are_logged(lively: Client) -> None:
    lively.ask("users", limit=1)
    lively.ask("nothing")
    first, second = lively.sandbox.requests
    assert (first.number, first.method, first.path, first.query, first.status) == (
        1,
        "GET",
        "/resources/users",
        "limit=1",
        200,
    )
    assert first.bytes > 0
    assert first.time <= second.time
    assert lively.sandbox.requests.by_status() == {200: 1, 404: 1}
    assert lively.sandbox.requests.by_path() == {"/resources/users": 1, "/resources/nothing": 1}
    lively.sandbox.requests.clear()
    assert lively.sandbox.requests == []


def test_something_can_happen_before_a_request_is_answered(lively: Client) -> None:
    world = lively.sandbox.world
    lively.sandbox.before_request = lambda entry: (
        world.create("users", name="Late") if entry.number == 2 else None
    )
    assert lively.json("users", limit=1)["results"][0]["name"] != "Late"
    assert lively.json("users", limit=1)["results"][0]["name"] == "Late"


def test_a_mistake_in_what_happens_before_a_request_shows(
    lively: Client, caplog: pytest.LogCaptureFixture
) -> None:
    lively.sandbox.before_request = lambda _: 1 / 0
    assert lively.ask("users").status_code == 500
    assert "division by zero" in caplog.text


def test_changes_and_requests_may_come_at_the_same_time(lively: Client) -> None:
    def live() -> None:
        random = Random(3)
        for _ in range(300):
            lively.sandbox.world.random_change(random, deletes=True)

    life = threading.Thread(target=live)
    life.start()
    while life.is_alive():
        assert lively.ask("users").status_code == 200
    life.join()


def test_latency_delays_every_answer() -> None:
    with running(latency=0.001) as client:
        assert client.ask("users").status_code == 200


def test_it_comes_back_on_the_same_port() -> None:
    world = World(accounts=1)
    with running(world) as client:
        url = client.sandbox.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=20)
    with running(world, port=int(url.rpartition(":")[2])) as client:
        assert client.sandbox.url == url
        assert client.ask("users").status_code == 200


def test_a_client_that_waits_does_not_keep_it_from_stopping() -> None:
    def ask_in_vain() -> None:
        with pytest.raises(requests.ConnectionError):
            client.ask("users")

    with running() as client:
        spoil(client, "stall", seconds=3600)
        for _ in range(2):
            with pytest.raises(requests.ReadTimeout):
                client.get(f"{client.sandbox.url}/resources/users", timeout=0.1)
        waiting = threading.Thread(target=ask_in_vain)
        came = threading.Event()
        client.sandbox.before_request = lambda _: came.set()
        waiting.start()
        came.wait()
    waiting.join()


def test_the_control_interface(lively: Client) -> None:
    control = f"{lively.sandbox.url}/control"
    world = lively.sandbox.world

    def call(method: str, path: str, body: Any = None) -> Any:
        return requests.request(method, f"{control}/{path}", json=body, timeout=20).json()

    assert call("GET", "health")["rows"]["users"] == 16
    lively.ask("users")
    log = call("GET", "requests")
    assert (log["count"], log["byStatus"], log["byPath"]) == (
        1,
        {"200": 1},
        {"/resources/users": 1},
    )
    assert log["requests"][0]["path"] == "/resources/users"
    call("DELETE", "requests")
    assert call("GET", "requests")["count"] == 0

    assert call("POST", "day")["users updated"] == 1
    assert "deleted" in str(call("POST", "day", {"deletes": 1}))
    expected_rows = call("GET", "truth/custom_fields")
    assert (
        expected_rows["count"]
        == len(expected_rows["rows"])
        == len(world.expected_rows("custom_fields"))
    )
    assert call("GET", "truth/users?rows=false") == {"count": len(world.expected_rows("users"))}
    assert "unknown stream" in call("GET", "truth/nothing")["error"]

    user = world.ids("users")[0]
    row = call("POST", "change", {"op": "create", "resource": "users", "fields": {"name": "N"}})
    assert row["row"]["name"] == "N"
    update = {"op": "update", "resource": "users", "id": user, "fields": {"name": "M"}}
    assert call("POST", "change", update)["row"]["name"] == "M"
    assert call("POST", "change", {"op": "deactivate", "id": user})["row"]["deactivatedAt"]
    assert call("POST", "change", {"op": "delete", "resource": "users", "id": user}) == {
        "row": None
    }
    assert "error" in call("POST", "change", {"op": "explode"})
    assert "error" in call("POST", "change", {"op": "churn", "id": "nothing"})

    call("POST", "faults", [{"kind": "status", "path": "users", "status": 503}])
    assert lively.ask("users").status_code == 503
    call("POST", "refuse", {"path": "notes", "status": 404})
    assert lively.ask("notes").status_code == 404
    call("DELETE", "faults")
    assert lively.ask("users").status_code == lively.ask("notes").status_code == 200
    assert "unknown fault" in call("POST", "faults", [{"kind": "nothing"}])["error"]

    assert call("POST", "clock", {"offset": 3600})["now"].startswith("2026-03-04T06:06:07")
    assert lively.ask("users").headers["Date"] == "Wed, 04 Mar 2026 06:06:07 GMT"


def test_the_command_line(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    command = [
        *(sys.executable, "-m", "sandbox", "--accounts", "1", "--size", "users=7", "--limit", "2"),
        *("--rate-model", "bucket", "--key", "other", "--port-file", str(port_file)),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        url = f"http://127.0.0.1:{port_file.read_text()}"
        said = (
            rf"Vitally sandbox on {url} \(key: other, surveys: [-0-9a-f]{{36}}, [-0-9a-f]{{36}}\)\n"
        )
        assert re.fullmatch(said, line)
        answer = requests.get(f"{url}/resources/users", auth=("other", ""), timeout=20)
        assert len(answer.json()["results"]) == 7
        assert answer.headers["RateLimit-Limit"] == "2, 2;window=60"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""


def test_the_command_line_refuses_an_unknown_size() -> None:
    command = [sys.executable, "-m", "sandbox", "--size", "nothing=7"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown resource: nothing" in done.stderr


def test_a_port_that_is_taken_is_told_in_one_line(lively: Client) -> None:
    port = lively.sandbox.url.rpartition(":")[2]
    command = [sys.executable, "-m", "sandbox", "--empty", "--port", port]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].endswith(
        f"error: cannot listen on port {port}: Address already in use"
    )
