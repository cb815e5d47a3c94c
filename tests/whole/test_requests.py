"""What goes over the wire: the least that is needed, and nothing that could do harm."""

from __future__ import annotations

import base64
import gzip
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from harness.expectations import expected, last_state, loaded, resource_of
from harness.support import KEY, config_for, run_in_process
from sandbox import STREAMS, Fault, Sandbox
from tap_vitally.sync.prefetch import FINDERS
from tests.whole.lists import MODELS, SINGLE, SORTED, UNSORTED, WHOLE
from vitally_api import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable
    from email.message import Message
    from pathlib import Path

    from sandbox import Entry

StartSandbox = Callable[..., Sandbox]

ODD_ID = "../users?x=#%2F é"
ENCODED = "..%2Fusers%3Fx%3D%23%252F%20%C3%A9"


class Recorder:
    """A server that answers empty lists and keeps the headers, which the sandbox does not."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, Message]] = []
        self.connections: set[Any] = set()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                recorder.requests.append((self.path, self.headers))
                recorder.connections.add(self.client_address)
                body = gzip.compress(b'{"results": [], "next": null, "atEnd": true}')
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Write nothing to stderr."""

        return Handler


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


@contextmanager
def recording() -> Iterator[Recorder]:
    recorder = Recorder()
    with ThreadingHTTPServer(("127.0.0.1", 0), recorder.handler()) as server:
        # Kept-alive connections must not keep the test from ending.
        server.daemon_threads, server.block_on_close = True, False
        recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


# Headers


def test_headers(recorder: Recorder) -> None:
    run_in_process(config_for(recorder.url), select=["notes", "users"])
    try:
        own_version = version("tap-vitally")
    except PackageNotFoundError:
        own_version = "[could not be detected]"
    token = base64.b64encode(f"{KEY}:".encode()).decode()
    assert len(recorder.requests) == 1 + 2 + 1
    for _, headers in recorder.requests:
        assert headers.get_all("Authorization") == [f"Basic {token}"]
        assert headers.get_all("User-Agent") == [f"tap-vitally/{own_version}"]
        assert headers.get_all("Accept") == ["application/json"]
        assert headers.get_all("Accept-Encoding") == ["gzip"]
        assert "Cookie" not in headers


def test_user_agent_can_be_set(recorder: Recorder) -> None:
    run_in_process(config_for(recorder.url, user_agent="nightly load"), select=["users"])
    assert {headers["User-Agent"] for _, headers in recorder.requests} == {"nightly load"}


@pytest.mark.parametrize(
    "pasted", ["canary", " canary\n", "Basic Y2FuYXJ5Og==", "Y2FuYXJ5Og==", "canary:"]
)
def test_key_is_sent_in_one_place_only(pasted: str, recorder: Recorder) -> None:
    run_in_process(config_for(recorder.url, api_key=pasted), select=["notes", "users"])
    for path, headers in recorder.requests:
        assert headers["Authorization"] == "Basic Y2FuYXJ5Og=="
        others = [value for name, value in headers.items() if name != "Authorization"]
        assert "canary" not in path + "".join(others)


def test_surroundings_do_not_change_what_is_sent(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    run_in_process(config_for(recorder.url, api_key="canary"), select=["users"])
    assert {headers["Authorization"] for _, headers in recorder.requests} == {"Basic Y2FuYXJ5Og=="}


def test_redirects_are_not_followed(recorder: Recorder, start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=2)
    sandbox.faults.append(Fault("redirect", path="users", location=f"{recorder.url}/resources"))
    with pytest.raises(Refused, match=r"redirects to 127\.0\.0\.1"):
        run_in_process(config_for(sandbox.url), select=["users"])
    assert not recorder.requests


@pytest.mark.parametrize("concurrency", [1, 4])
def test_connections_are_kept(concurrency: int, recorder: Recorder) -> None:
    config = config_for(recorder.url, concurrency=concurrency)
    run_in_process(config, select=["notes", "tasks", "projects", "meetings", "nps_responses"])
    assert len(recorder.requests) == 1 + 10
    # The probe is sent before there are any workers, and any of them may fetch that has found a list.
    most = concurrency + FINDERS + 1 if concurrency > 1 else 1
    assert len(recorder.connections) <= min(most, len(recorder.requests) - 1)


# Paths and queries


def queries(requests: Iterable[Entry]) -> dict[str, set[frozenset[tuple[str, str]]]]:
    """The queries that each resource was asked with."""
    asked = defaultdict(set)
    for entry in requests:
        asked[resource_of(entry)].add(frozenset(parse_qsl(entry.query)))
    return asked


def with_query(*parts: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((name, value) for part in parts for name, value in part.items())


@pytest.fixture
def two_runs(start_sandbox: StartSandbox) -> tuple[list[Entry], list[Entry], list[str]]:
    """The requests of a first run and of a later one, and the ids of the custom objects."""
    sandbox = start_sandbox(accounts=10)
    surveys = sandbox.world.ids("surveys")
    config = config_for(sandbox.url, survey_ids=surveys, page_size=50, full_walk_days=0)
    first = run_in_process(config, select=STREAMS)
    asked_first = list(sandbox.requests)
    sandbox.world.clock.advance(3600)
    sandbox.requests.clear()
    run_in_process(config, select=STREAMS, state=last_state(first))
    return asked_first, list(sandbox.requests), sandbox.world.ids("customObjects")


def test_everything_is_a_get_of_a_resource(
    two_runs: tuple[list[Entry], list[Entry], list[str]],
) -> None:
    for entry in (*two_runs[0], *two_runs[1]):
        assert entry.method == "GET"
        assert entry.path.startswith("/resources/")
        assert entry.status in {200, 404}
        assert KEY not in entry.path + entry.query


def test_queries(two_runs: tuple[list[Entry], list[Entry], list[str]]) -> None:
    first, later, objects = two_runs
    limit = {"limit": "50"}
    probe = with_query({"limit": "1", "status": "activeOrChurned"})
    plain = {resource: {with_query(limit)} for resource in UNSORTED}
    plain |= {resource: {with_query(limit, {"sortBy": "createdAt"})} for resource in WHOLE}
    plain |= {resource: {with_query()} for resource in SINGLE}
    plain["customFields"] = {
        *(with_query({"model": model}) for model in MODELS),
        *(with_query({"model": "customObjects", "customObjectId": id_}) for id_ in objects),
    }

    def asked(order: str, *parents: str) -> dict[str, set[frozenset[tuple[str, str]]]]:
        lists = {
            resource: {with_query(limit, {"sortBy": order}, variant) for variant in variants}
            for resource, variants in SORTED.items()
        }
        # Parents are listed whole, in an order in which nothing moves.
        for parent in parents:
            by_creation = {"sortBy": "createdAt"}
            lists[parent].add(with_query(limit, by_creation, SORTED[parent][0]))
        lists["accounts"].add(probe)
        # One conversation or one transcript takes no query.
        lists["conversations"].add(with_query())
        lists["meetingTranscripts"].add(with_query())
        return plain | lists

    found = queries(first)
    # Lists of several pages are looked at once more, and cursors differ.
    assert {resource: simple(asked_with) for resource, asked_with in found.items()} == asked(
        "createdAt"
    )
    found = queries(later)
    found["meetingTranscripts"].add(with_query())  # if any in the lookback lacks its text
    assert found == asked("updatedAt", "accounts", "organizations")


def simple(asked: set[frozenset[tuple[str, str]]]) -> set[frozenset[tuple[str, str]]]:
    return {query for query in asked if "from" not in dict(query)}


# Ids


@pytest.mark.parametrize(
    ("stream", "resource", "path"),
    [
        ("account_notes", "accounts", f"/resources/accounts/{ENCODED}/notes"),
        ("account_health_scores", "accounts", f"/resources/accounts/{ENCODED}/healthScores"),
        ("organization_users", "organizations", f"/resources/organizations/{ENCODED}/users"),
        ("messages", "conversations", f"/resources/conversations/{ENCODED}"),
        (
            "custom_object_instances",
            "customObjects",
            f"/resources/customObjects/{ENCODED}/instances",
        ),
    ],
)
def test_odd_ids_stay_ids(
    stream: str, resource: str, path: str, start_sandbox: StartSandbox
) -> None:
    sandbox = start_sandbox(accounts=2)
    world = sandbox.world
    world.rows.health_scores = lambda account: {"overall": 1, "of": account}  # type: ignore[method-assign]
    world.create(resource, id=ODD_ID)
    match stream:
        case "account_notes":
            world.create("notes", accountId=ODD_ID)
        case "organization_users":
            world.create("users", organizationIds=[ODD_ID])
        case "messages":
            world.create("messages", conversationId=ODD_ID)
        case "custom_object_instances":
            world.create("instances", customObjectId=ODD_ID)
    messages = run_in_process(config_for(sandbox.url), select=[stream])
    assert path in {entry.path for entry in sandbox.requests}
    table = loaded(messages).tables[stream]
    assert any(ODD_ID in row.values() for row in table.values())
    if stream != "account_health_scores":
        assert table == expected(world, stream)


def test_odd_ids_stay_ids_in_queries(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=2)
    sandbox.world.create("customObjects", id=ODD_ID)
    sandbox.world.create("customFields", customObjectId=ODD_ID)
    messages = run_in_process(config_for(sandbox.url), select=["custom_object_fields"])
    table = loaded(messages).tables["custom_object_fields"]
    assert table == expected(sandbox.world, "custom_object_fields")
    assert any(row["customObjectId"] == ODD_ID for row in table.values())


def test_odd_survey_ids_stay_ids(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(accounts=2)
    config = config_for(sandbox.url, survey_ids=[ODD_ID])
    run_in_process(config, select=["survey_responses"])
    assert f"/resources/surveys/{ENCODED}/responses" in {e.path for e in sandbox.requests}
