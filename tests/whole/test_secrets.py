"""Nobody learns the key, and no log tells of customers, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import logging
import socketserver
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.run_attempts import Pipe
from harness.support import (
    Result,
    Row,
    command,
    config_for,
    read,
    run_command,
    waits_pass_in_no_time,
)
from sandbox import Fault, Sandbox, World, serve
from sandbox.faults import Kind
from tap_vitally.tap import TapVitally
from vitally_api import VitallyError

CANARY = "canary" * 6
FORMS = (
    CANARY,
    base64.b64encode(f"{CANARY}:".encode()).decode().rstrip("="),
    base64.b64encode(CANARY.encode()).decode().rstrip("="),
)
"""The key as it is, as it travels, and as somebody might write it down."""
SELECT = ["accounts", "account_notes", "custom_object_instances", "messages", "notes", "users"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serve(World(seed=5, accounts=4), key=CANARY) as sandbox:
        yield sandbox


def config(url: str, **settings: Any) -> Row:
    return config_for(url, **{"page_size": 3, **settings}) | {"api_key": CANARY}


def reported(text: str) -> list[str]:
    """The beginnings of the key that a text holds: a part of it may be all of it to some."""
    return [form for form in FORMS if form[:12] in text]


def personal(world: World) -> set[str]:
    """What no log may hold: e-mail addresses, names, and what people wrote."""
    rows = [
        *world.expected_rows("users").values(),
        *world.expected_rows("admins").values(),
        *world.expected_rows("accounts").values(),
        *world.expected_rows("notes").values(),
        *world.expected_rows("messages").values(),
    ]
    texts = {row.get(name) for row in rows for name in ("email", "name", "note", "message")}
    return {text for text in texts if text and len(text) > 5}


HOSTILE_TEXT = f"\x1b[31mred\x00\r\nINJECTED {CANARY} Basic {FORMS[1]}== someone@example.com"


def fail(_: Sandbox, kind: Kind) -> Fault:
    return Fault(kind, path="notes")


def answer(_: Sandbox, status: int, error: Any = "no") -> Fault:
    return Fault("status", path="notes", status=status, body=json.dumps({"error": error}))


FAILURES: dict[str, Callable[[Sandbox], Fault | None]] = {
    "none": lambda _: None,
    **{
        str(status): partial(answer, status=status)
        for status in (400, 401, 403, 404, 429, 500, 503)
    },
    **{
        kind: partial(fail, kind=kind)
        for kind in (
            "broken_gzip",
            "deep_json",
            "error_200",
            "html_200",
            "huge_number",
            "invalid_utf8",
            "lone_surrogate",
            "nul_chars",
            "repeat_cursor",
            "reset_before",
            "reset_mid_body",
            "truncated_chunked",
            "truncated_with_length",
            "wrong_content_type",
        )
    },
    "redirect": lambda sandbox: Fault(
        "redirect", path="notes", location=f"{sandbox.url}/elsewhere?{CANARY}"
    ),
    **{
        f"an echo with {status}": partial(answer, status=status, error=HOSTILE_TEXT)
        for status in (400, 401, 403, 429, 500)
    },
    "an echo cut short": partial(answer, status=400, error="x" * 180 + CANARY),
    "an echo in detail": partial(
        answer,
        status=400,
        error={"message": HOSTILE_TEXT, "errors": [{"message": f"header {FORMS[1]}=="}]},
    ),
    "an echo of the type": lambda _: Fault(
        "status", path="notes", status=200, body="?", headers={"Content-Type": f"text/{CANARY}"}
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_tells(
    sandbox: Sandbox, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    fault = FAILURES[name](sandbox)
    if fault:
        # Lasting, except for the one thing that is waited for.
        fault.times = 5 if fault.status == 429 else None
        sandbox.faults.append(fault)
    pipe = Pipe()
    failure = line = ""
    with caplog.at_level(logging.DEBUG), waits_pass_in_no_time():
        try:
            read(config(sandbox.url), select=SELECT, collector=pipe.collector)
        except VitallyError as caught:
            failure = "".join(traceback.format_exception(caught)) + repr(caught)
            line = str(caught)
    # One line, whatever the server put into it.
    assert line.isprintable()
    captured = capfd.readouterr()
    states = json.dumps([m for m in pipe.messages if m["type"] == "STATE"])
    log = caplog.text
    for text in (log, failure, states, captured.out, captured.err):
        assert reported(text) == []
    assert len(log) > 1000
    assert "\x1b" not in log
    assert "\0" not in log
    assert "INJECTED" not in [line.strip()[:8] for line in log.splitlines()]
    assert "someone@example.com" not in log + failure
    assert [text for text in personal(sandbox.world) if text in log + failure] == []


def test_nothing_tells_in_messages(sandbox: Sandbox) -> None:
    pipe = Pipe()
    read(config(sandbox.url), select=SELECT, collector=pipe.collector)
    assert reported(json.dumps(pipe.messages, default=str)) == []


def test_looking_people_up_tells_nothing_about_them(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    emails = [
        row["email"] for row in sandbox.world.expected_rows("users").values() if row["email"]
    ][:2]
    admins = [
        row["email"] for row in sandbox.world.expected_rows("admins").values() if row["email"]
    ][:1]
    lookups = {"user_emails": [*emails, "nobody@example.com"], "admin_emails": admins}
    with caplog.at_level(logging.DEBUG):
        messages = read(config(sandbox.url, lookups=lookups), select=["users", "admins"])
    assert any(message["type"] == "RECORD" for message in messages)
    names = [part for email in (*emails, *admins) for part in (email, email.partition("@")[0])]
    assert [name for name in (*names, "nobody") if name in caplog.text] == []


DEBUG = {"TAP_VITALLY_LOGLEVEL": "DEBUG"}
BROKEN = """
from tap_vitally.sync.record_mapper import RecordMapper
from tap_vitally.__main__ import main
def broken(self, rows, context):
    raise RuntimeError("nobody foresaw this")
RecordMapper.records = broken
main()
"""


def outcomes(folder: Path, sandbox: Sandbox) -> Iterator[tuple[str, Result]]:
    """What a person gets to see of the tap, in its most talkative mood."""
    arguments = command(folder, config(sandbox.url), select=SELECT)
    configured = arguments[: arguments.index("--catalog")]
    yield "a run", run_command(arguments, env=DEBUG)
    yield "--test", run_command([*configured, "--test"], env=DEBUG)
    yield "--about", run_command([*configured, "--about", "--format=json"], env=DEBUG)
    yield "--discover", run_command([*configured, "--discover"], env=DEBUG)
    bug = [sys.executable, "-c", BROKEN, *arguments[3:]]
    yield "a bug", run_command(bug, env=DEBUG)
    sandbox.key = "another"
    yield "a wrong key", run_command(arguments, env=DEBUG)


def test_no_process_tells(sandbox: Sandbox, tmp_path: Path) -> None:
    codes = {}
    for name, result in outcomes(tmp_path, sandbox):
        assert reported(result.stdout) == [], name
        assert reported(result.stderr) == [], name
        assert [text for text in personal(sandbox.world) if text in result.stderr] == [], name
        codes[name] = result.returncode
        if name == "a run":
            assert "DEBUG" in result.stderr
        if name == "a bug":
            # What an exception says may hold anything, customers' data too.
            assert "RuntimeError" in result.stderr
            assert "in broken" in result.stderr
            assert "nobody foresaw this" not in result.stderr.replace('"nobody foresaw this")', "")
    assert {name for name, code in codes.items() if code} == {"a bug", "a wrong key"}


WRONG_SETTINGS: dict[str, Row] = {
    "http to elsewhere": {"api_url": "http://vitally.example"},
    "user in the address": {"api_url": f"https://{CANARY}@vitally.example"},
    "no address": {"api_url": "vitally.example"},
    "bad date": {"start_date": "yesterday"},
    "unknown data center": {"data_center": "mars"},
    "page too large": {"page_size": 1000},
    "key with a space": {"api_key": f"{CANARY} {CANARY}"},
    "broken header": {"api_key": f"Basic {CANARY}"},
    "key that is no text": {"api_key": [CANARY]},
}


@pytest.mark.parametrize("name", WRONG_SETTINGS)
def test_complaints_about_settings_do_not_tell(name: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = {**config("https://vitally.example"), **WRONG_SETTINGS[name]}
    with caplog.at_level(logging.DEBUG), pytest.raises(Exception) as caught:  # noqa: PT011
        TapVitally(config=wrong)
    text = "".join(traceback.format_exception(caught.value))
    assert reported(text + repr(caught.value) + caplog.text) == []
    assert "Validation" in type(caught.value).__name__


def test_settings_do_not_show_the_key() -> None:
    tap = TapVitally(config=config("https://vitally.example"))
    assert (
        reported(repr(tap.settings) + repr(tap.run) + repr(tap.run.api) + repr(vars(tap.run))) == []
    )


@contextmanager
def deaf_proxy() -> Iterator[tuple[str, bytearray]]:
    """A proxy that hears everything and lets nothing through."""
    heard = bytearray()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            heard.extend(self.request.recv(1 << 16))
            self.request.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", heard
        finally:
            server.shutdown()
            thread.join()


def test_a_proxy_is_used_and_learns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with deaf_proxy() as (url, heard), waits_pass_in_no_time():
        monkeypatch.setenv("HTTPS_PROXY", url)
        with pytest.raises(VitallyError, match="proxy") as caught:
            read(config("https://vitally.example"), select=["accounts"])
    assert heard.startswith(b"CONNECT vitally.example:443")
    assert reported(heard.decode()) == []
    assert reported("".join(traceback.format_exception(caught.value))) == []
    assert "HTTPS_PROXY" in str(caught.value)


def test_a_proxy_is_not_used_for_this_machine(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    with deaf_proxy() as (url, heard):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.lower(), url)
        assert read(config(sandbox.url), select=["accounts"])
    assert heard == b""


def test_a_hostile_name_of_a_property_stays_out_of_the_log(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    name = "\x1b[31m\r\nINJECTED " + "x" * 10_000
    sandbox.world.create("notes", **{name: "value"})
    with caplog.at_level(logging.DEBUG):
        messages = read(config(sandbox.url), select=["notes"])
    rows = [message["record"] for message in messages if message["type"] == "RECORD"]
    assert any(row["additionalProperties"] == {name: "value"} for row in rows)
    assert "INJECTED" in caplog.text
    assert "\x1b" not in caplog.text
    assert "\nINJECTED" not in caplog.text
    assert "x" * 200 not in caplog.text
