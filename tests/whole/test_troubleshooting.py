"""Every message that asks for something to be done stands in the docs, word for word."""

from __future__ import annotations

import json
import logging
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from singer_sdk.exceptions import ConfigValidationError

from harness.support import ROOT, Row, config_for, run_command, run_in_process
from sandbox import Fault, Sandbox
from tap_vitally.tap import TapVitally
from vitally_api import Policy, VitallyError

VARIABLE = "…"
"""Stands for what differs from case to case."""


def described() -> list[str]:
    """The messages on the page about trouble."""
    text = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^- `(.+)`$", text, re.MULTILINE)


def matches(pattern: str, message: str) -> bool:
    """Whether a message is the one that the page describes."""
    parts = (re.escape(part) for part in pattern.split(VARIABLE))
    return re.fullmatch(".+?".join(parts), message, re.DOTALL) is not None


def test_every_trouble_is_described_and_every_description_is_true(
    start_sandbox: Callable[..., Sandbox],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Nothing is waited for: every try is the last.
    monkeypatch.setattr(TapVitally, "policy", Policy(patience=0))
    stage = Stage(start_sandbox(accounts=12), tmp_path, monkeypatch, caplog)
    found = dict(provocations(stage))
    patterns = described()
    silent = [name for name, messages in found.items() if not messages]
    missing = [
        f"{name}: {message}"
        for name, messages in found.items()
        for message in messages
        if sum(matches(pattern, message) for pattern in patterns) != 1
    ]
    told = [message for messages in found.values() for message in messages]
    idle = [p for p in patterns if not any(matches(p, message) for message in told)]
    assert (silent, missing, idle) == ([], [], [])


@dataclass
class Stage:
    """Where trouble is made."""

    sandbox: Sandbox
    folder: Path
    patch: pytest.MonkeyPatch
    log: pytest.LogCaptureFixture

    def told(
        self, *, select: tuple[str, ...] = ("accounts",), state: Row | None = None, **settings: Any
    ) -> list[str]:
        """What a run says: its failure, if there is one, and its warnings."""
        self.log.clear()
        failures: list[str] = []
        config = {**config_for(self.sandbox.url), **settings}
        try:
            messages = run_in_process(config, select=select, state=state)
        except VitallyError as failure:
            failures = [str(failure)]
        else:
            assert any(message["type"] == "STATE" for message in messages)
        return failures + self.said()

    def command(self, *arguments: str, **settings: Any) -> list[str]:
        """The command line of a run with these settings."""
        config = self.folder / "config.json"
        config.write_text(json.dumps(config_for(self.sandbox.url, **settings)))
        return [sys.executable, "-m", "tap_vitally", "--config", str(config), *arguments]

    def said(self) -> list[str]:
        """The tap's warnings and errors so far."""
        return [
            record.getMessage()
            for record in self.log.records
            if record.levelno >= logging.WARNING and record.name.startswith("tap-vitally")
        ]

    def answered(self, *faults: Fault, **settings: Any) -> list[str]:
        """What a run says when the API answers like that."""
        with self.failing(*faults):
            return self.told(**settings)

    @contextmanager
    def failing(self, *faults: Fault) -> Iterator[None]:
        """Make the API fail in these ways, for as long as the context lasts."""
        self.sandbox.faults.extend(faults)
        try:
            yield
        finally:
            self.sandbox.faults.clear()


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wrong_settings(**config: Any) -> list[str]:
    """What the tap says about settings it cannot work with."""
    with pytest.raises(ConfigValidationError) as caught:
        TapVitally(config=config)
    return caught.value.errors


EU = {"api_key": "sandbox", "data_center": "eu"}
WRONG_SETTINGS: Mapping[str, Row] = {
    "no key": {"data_center": "eu"},
    "key is a number": {**EU, "api_key": 1},
    "damaged header": {**EU, "api_key": "Basic sandbox"},
    "key with white space": {**EU, "api_key": "sand box"},
    "no subdomain": {"api_key": "sandbox"},
    "no subdomain in it": {"api_key": "sandbox", "subdomain": "https://vitally.io/"},
    "unknown data center": {**EU, "data_center": "mars"},
    "no address": {**EU, "api_url": "acme"},
    "address with a query": {**EU, "api_url": "https://example.com/?a=b"},
    "plain http": {**EU, "api_url": "http://example.com"},
    "no date": {**EU, "start_date": "soon"},
    "no host": {**EU, "api_url": "https://exa mple.com"},
    "user agent": {**EU, "user_agent": "a\nb"},
    "no id": {**EU, "lookups": {"accounts": [".."]}},
    "unknown look-up": {**EU, "lookups": {"account": ["1"]}},
    "vague look-up": {**EU, "lookups": {"custom_object_instances": [{"customObjectId": "1"}]}},
}

ANSWERS: Mapping[str, Fault] = {
    "401": Fault("status", status=401),
    "redirect": Fault("redirect", location="https://example.com/login"),
    "404 for everything": Fault("status", status=404),
    "400": Fault("status", "accounts", after=1, status=400),
    "429": Fault("status", status=429),
    "503": Fault("status", status=503),
    "HTML": Fault("html_200"),
    "damaged gzip": Fault("broken_gzip"),
    "reset": Fault("reset_before"),
    "stall": Fault("stall", seconds=5),
    "no clock": Fault("no_date"),
    "not Unicode": Fault("invalid_utf8"),
}


def provocations(stage: Stage) -> Iterator[tuple[str, list[str]]]:
    """Make every trouble there is, and tell what was said."""
    for name, config in WRONG_SETTINGS.items():
        yield name, wrong_settings(**config)
    for name, fault in ANSWERS.items():
        timeout = 0.3 if fault.kind == "stall" else 60
        yield name, stage.answered(fault, request_timeout=timeout)

    some_host = "https://vitally.example"
    with stage.patch.context() as patch:
        patch.setattr(
            "requests.adapters.HTTPAdapter.send",
            lambda *_, **__: raised(requests.exceptions.SSLError(ssl.SSLCertVerificationError(1))),
        )
        yield "certificate", stage.told(api_url=some_host)
    yield "no TLS", stage.told(api_url=stage.sandbox.url.replace("http", "https"))
    with stage.patch.context() as patch:
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
        yield "proxy", stage.told(api_url=some_host)
    with stage.patch.context() as patch:
        patch.setattr("socket.getaddrinfo", lambda *_, **__: raised(socket.gaierror("none")))
        yield "host name", stage.told(api_url=some_host)
    for name, variable, value in (
        ("no proxy", "HTTPS_PROXY", "http://"),
        ("kind of proxy", "HTTPS_PROXY", "socks5://127.0.0.1:9"),
        ("certificates", "REQUESTS_CA_BUNDLE", "/nowhere/to/be/found.pem"),
    ):
        with stage.patch.context() as patch:
            patch.setenv(variable, value)
            yield name, stage.told(api_url=some_host)
    yield "address", stage.told(api_url=f"https://{64 * 'a'}.example")
    yield "nobody listens", stage.told(api_url=f"http://127.0.0.1:{closed_port()}")

    plan = Fault("status", "customObjects*", status=403)
    yield "not in the plan", stage.answered(plan, select=("custom_objects",))
    with stage.failing(plan):
        done = run_command(stage.command(fail_on_skipped=True))
    assert done.returncode == 1
    yield "not allowed to skip", said(done.stderr)[-1:]
    refused = Fault("status", "accounts/*/notes", status=404)
    yield "all children refused", stage.answered(refused, select=("account_notes",))
    with stage.patch.context() as patch:
        patch.setattr("tap_vitally.replication.parents.MOST_SKIPPED", 3)
        patch.setattr("tap_vitally.reading.children.MOST_SKIPPED", 3)
        many = Fault("status", "accounts/*/notes", status=403, after=1)
        yield "many children refused", stage.answered(many, select=("account_notes",))[:1]
    yield from beyond_measure(stage)
    yield "id", odd_id(stage)
    yield "not found", stage.told(lookups={"accounts": ["nobody"], "users": ["nobody"]})
    with stage.patch.context() as patch:
        patch.setattr(TapVitally, "policy", Policy())
        patch.setattr("vitally_api.retrying.backoff.full_jitter", lambda _: 0.0)
        yield "tried again", stage.answered(Fault("status", status=503, times=1))
    yield "order", later_run(stage, Fault("out_of_order"))
    yield "cursor", interrupted_run(stage)
    yield "custom objects", custom_object_discovery(stage)
    yield "other type", other_type(stage)
    yield from mistakes(stage)
    yield "signal", terminated(stage)
    yield "pipe", left_by_the_target(stage)


BROKEN = """
from tap_vitally.reading.shaping import Shaper
from tap_vitally.__main__ import main
Shaper.records = None
main()
"""


def mistakes(stage: Stage) -> Iterator[tuple[str, list[str]]]:
    """Run the tap on what it cannot work with."""
    tap = stage.command()[:4]
    commands = {
        "config": [*tap, __file__],
        "no file": [*tap, "/nowhere/to/be/found.json"],
        "variable": [*tap, "ENV"],
        "state": stage.command("--state", __file__),
        "catalog": stage.command("--catalog", stage.command()[-1]),
        "closed": ["sh", "-c", 'exec "$@" >&-', "sh", *stage.command()],
        "unforeseen": [sys.executable, "-c", BROKEN, *stage.command()[3:]],
    }
    for name, arguments in commands.items():
        env = {"TAP_VITALLY_PAGE_SIZE": "many"} if name == "variable" else {}
        yield name, said(run_command(arguments, env=env).stderr)
    failing = {"accounts": {"name": "int(name)"}}
    yield "expression", said(run_command(stage.command(stream_maps=failing)).stderr)


def beyond_measure(stage: Stage) -> Iterator[tuple[str, list[str]]]:
    with stage.patch.context() as patch:
        patch.setattr("vitally_api.connection.MAX_BODY", 100)
        yield "large", stage.told()
    with stage.patch.context() as patch:
        patch.setattr("tap_vitally.reading.listing.MOST_EMPTY_PAGES", 3)
        yield "empty", stage.answered(Fault("empty_page_with_next", "accounts", after=1))


def odd_id(stage: Stage) -> list[str]:
    stage.sandbox.world.create("accounts", id="..")
    try:
        return stage.told(select=("account_users",))
    finally:
        stage.sandbox.world.delete("accounts", "..")


def raised(error: Exception) -> Any:
    """Raise where a lambda cannot."""
    raise error


def later_run(stage: Stage, fault: Fault) -> list[str]:
    state = {"bookmarks": {"users": {"replication_key": "updatedAt"}}}
    state["bookmarks"]["users"]["replication_key_value"] = "2000-01-01T00:00:00.000Z"
    return with_state(stage, state, fault)


def interrupted_run(stage: Stage) -> list[str]:
    place = {
        "signpost": "2030-01-01T00:00:00.000Z",
        "cursor": "no longer good",
        "sort_by": "createdAt",
    }
    return with_state(stage, {"bookmarks": {"users": {"resume": place}}})


def with_state(stage: Stage, state: Row, *faults: Fault) -> list[str]:
    with stage.failing(*faults):
        return stage.told(select=("users",), state=state, page_size=20)


def custom_object_discovery(stage: Stage) -> list[str]:
    stage.log.clear()
    config = config_for(stage.sandbox.url, custom_object_streams=True)
    with stage.failing(Fault("status", "customObjects*", status=403)):
        assert TapVitally(config=config, validate_config=False).streams
    return stage.said()


def other_type(stage: Stage) -> list[str]:
    account = stage.sandbox.world.ids("accounts")[0]
    stage.sandbox.world.update("accounts", account, name=["a", "list"])
    try:
        return stage.told()
    finally:
        stage.sandbox.world.update("accounts", account, name="a name")


def said(log: str) -> list[str]:
    """The warnings and errors in what a process has logged."""
    return re.findall(r"\| (?:WARNING|ERROR) +\| [\w.-]+ +\| (.*)", log)


def started(stage: Stage) -> subprocess.Popen[bytes]:
    """Start a run whose output is for the test to read."""
    pipe = subprocess.PIPE
    return subprocess.Popen(stage.command(), stdout=pipe, stderr=pipe, cwd=ROOT)


def terminated(stage: Stage) -> list[str]:
    with started(stage) as process:
        stage.sandbox.before_request = lambda entry: (
            process.send_signal(signal.SIGTERM) if entry.path.endswith("/users") else None
        )
        _, log = process.communicate(timeout=60)
        stage.sandbox.before_request = None
    assert process.returncode == 128 + signal.SIGTERM
    return said(log.decode())


def left_by_the_target(stage: Stage) -> list[str]:
    with started(stage) as process:
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    return said(log.decode())
