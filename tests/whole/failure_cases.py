"""Every trouble there is, made on a stage: by its name, what the tap says in it."""

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
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import urllib3
from singer_sdk.exceptions import ConfigValidationError

from harness.support import ROOT, Row, catalog, config_for, run_command, run_in_process
from sandbox import Fault, Sandbox
from tap_vitally.tap import TapVitally
from vitally_api import Policy, VitallyError


@dataclass
class Stage:
    """Where trouble is made, and nothing is waited for: every try is the last."""

    sandbox: Sandbox
    folder: Path
    patch: pytest.MonkeyPatch
    log: list[logging.LogRecord] = field(default_factory=list)

    def reported(
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
            for record in self.log
            if record.levelno >= logging.WARNING and record.name.startswith("tap-vitally")
        ]

    def answered(self, *faults: Fault, **settings: Any) -> list[str]:
        """What a run says when the API answers like that."""
        with self.failing(*faults):
            return self.reported(**settings)

    @contextmanager
    def failing(self, *faults: Fault) -> Iterator[None]:
        """Make the API fail in these ways, for as long as the context lasts."""
        self.sandbox.faults.extend(faults)
        try:
            yield
        finally:
            self.sandbox.faults.clear()


FailureCase = Callable[[Stage], list[str]]
FAILURE_CASES: dict[str, FailureCase] = {}


def failure_case(name: str) -> Callable[[FailureCase], FailureCase]:
    """Name what a function provokes."""

    def named(provoke: FailureCase) -> FailureCase:
        FAILURE_CASES[name] = provoke
        return provoke

    return named


# Settings

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
    "no salt": {**EU, "stream_maps": {"users": {"email": "config['salt'] + email"}}},
    "vague look-up": {**EU, "lookups": {"custom_object_instances": [{"customObjectId": "1"}]}},
}


def wrong_settings(config: Row, _: Stage) -> list[str]:
    with pytest.raises(ConfigValidationError) as caught:
        TapVitally(config=config)
    return caught.value.errors


FAILURE_CASES |= {name: partial(wrong_settings, config) for name, config in WRONG_SETTINGS.items()}

# Answers

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
    "NUL": Fault("nul_chars"),
}


def wrong_answer(fault: Fault, stage: Stage) -> list[str]:
    return stage.answered(fault, request_timeout=0.3 if fault.kind == "stall" else 60)


FAILURE_CASES |= {name: partial(wrong_answer, fault) for name, fault in ANSWERS.items()}


@failure_case("tried again")
def tried_again(stage: Stage) -> list[str]:
    with stage.patch.context() as patch:
        patch.setattr(TapVitally, "policy", Policy())
        patch.setattr("vitally_api.retrying.backoff.full_jitter", lambda _: 0.0)
        return stage.answered(Fault("status", status=503, times=1))


@failure_case("large")
def a_body_too_large(stage: Stage) -> list[str]:
    with stage.patch.context() as patch:
        patch.setattr("vitally_api.connection.MAX_BODY", 100)
        return stage.reported()


@failure_case("empty")
def too_many_empty_pages(stage: Stage) -> list[str]:
    with stage.patch.context() as patch:
        patch.setattr("vitally_api.paging.MOST_EMPTY_PAGES", 3)
        return stage.answered(Fault("empty_page_with_next", "accounts", after=1))


@failure_case("other type")
def other_type(stage: Stage) -> list[str]:
    account = stage.sandbox.world.ids("accounts")[0]
    stage.sandbox.world.update("accounts", account, name=["a", "list"])
    try:
        return stage.reported()
    finally:
        stage.sandbox.world.update("accounts", account, name="a name")


# The network

SOME_HOST = "https://vitally.example"


def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def raised(error: Exception) -> Any:
    """Raise where a lambda cannot."""
    raise error


@failure_case("certificate")
def certificate(stage: Stage) -> list[str]:
    error = urllib3.exceptions.SSLError(ssl.SSLCertVerificationError(1))
    with stage.patch.context() as patch:
        patch.setattr("urllib3.HTTPConnectionPool.urlopen", lambda *_, **__: raised(error))
        return stage.reported(api_url=SOME_HOST)


@failure_case("host name")
def host_name(stage: Stage) -> list[str]:
    with stage.patch.context() as patch:
        patch.setattr("socket.getaddrinfo", lambda *_, **__: raised(socket.gaierror("none")))
        return stage.reported(api_url=SOME_HOST)


def from_the_environment(variable: str, value: str, stage: Stage) -> list[str]:
    with stage.patch.context() as patch:
        patch.setenv(variable, value)
        return stage.reported(api_url=SOME_HOST)


FAILURE_CASES |= {
    "no TLS": lambda stage: stage.reported(api_url=stage.sandbox.url.replace("http", "https")),
    "address": lambda stage: stage.reported(api_url=f"https://{64 * 'a'}.example"),
    "nobody listens": lambda stage: stage.reported(api_url=f"http://127.0.0.1:{closed_port()}"),
    "proxy": lambda stage: from_the_environment(
        "HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}", stage
    ),
    "no proxy": partial(from_the_environment, "HTTPS_PROXY", "http://"),
    "kind of proxy": partial(from_the_environment, "HTTPS_PROXY", "socks5://127.0.0.1:9"),
    "certificates": partial(from_the_environment, "REQUESTS_CA_BUNDLE", "/nowhere/to/be/found.pem"),
}

# What is not there, or is not given

NOT_IN_THE_PLAN = Fault("status", "customObjects*", status=403)


FAILURE_CASES["not in the plan"] = lambda stage: stage.answered(
    NOT_IN_THE_PLAN, select=("custom_objects",)
)


@failure_case("not allowed to skip")
def not_allowed_to_skip(stage: Stage) -> list[str]:
    with stage.failing(NOT_IN_THE_PLAN):
        done = run_command(stage.command(fail_on_skipped=True))
    assert done.returncode == 1
    return said(done.stderr)[-1:]


def discovery(setting: str, missing: Fault, stage: Stage) -> list[str]:
    stage.log.clear()
    with stage.failing(missing):
        config = config_for(stage.sandbox.url, **{setting: True})
        assert TapVitally(config=config, validate_config=False).streams
    return stage.said()


NO_FIELDS = Fault("status", "customFields*", status=403)
FAILURE_CASES["custom objects"] = partial(discovery, "custom_object_streams", NOT_IN_THE_PLAN)
FAILURE_CASES["custom fields"] = partial(discovery, "trait_columns", NO_FIELDS)
FAILURE_CASES["custom fields made later"] = lambda stage: TapVitally(
    config=config_for(stage.sandbox.url, trait_columns=True), catalog=catalog(["accounts"])
).unmatched_selections()


@failure_case("all children refused")
def all_children_refused(stage: Stage) -> list[str]:
    refused = Fault("status", "accounts/*/notes", status=404)
    return stage.answered(refused, select=("account_notes",))


@failure_case("many children refused")
def many_children_refused(stage: Stage) -> list[str]:
    with stage.patch.context() as patch:
        patch.setattr("tap_vitally.state.parent_scan.MOST_SKIPPED", 3)
        patch.setattr("tap_vitally.sync.contexts.MOST_SKIPPED", 3)
        many = Fault("status", "accounts/*/notes", status=403, after=1)
        return stage.answered(many, select=("account_notes",))[:1]


@failure_case("id")
def odd_id(stage: Stage) -> list[str]:
    stage.sandbox.world.create("accounts", id="..")
    try:
        return stage.reported(select=("account_users",))
    finally:
        stage.sandbox.world.delete("accounts", "..")


@failure_case("not found")
def not_found(stage: Stage) -> list[str]:
    return stage.reported(lookups={"accounts": ["nobody"], "users": ["nobody"]})


# STATE


@failure_case("order")
def another_order(stage: Stage) -> list[str]:
    entry = {"replication_key": "updatedAt", "replication_key_value": "2000-01-01T00:00:00.000Z"}
    return with_state(stage, entry, Fault("out_of_order"))


@failure_case("cursor")
def cursor_that_is_no_longer_good(stage: Stage) -> list[str]:
    stream_state = {
        "signpost": "2020-01-01T00:00:00.000Z",
        "cursor": "no longer good",
        "sort_by": "createdAt",
    }
    return with_state(stage, {"resume": stream_state})


@failure_case("state of another workspace")
def state_of_another_workspace(stage: Stage) -> list[str]:
    return with_state(stage, {"host": "another"})


@failure_case("state of another time")
def state_of_another_time(stage: Stage) -> list[str]:
    entry = {"replication_key": "updatedAt", "replication_key_value": "2999-01-01T00:00:00.000Z"}
    return with_state(stage, entry)


def with_state(stage: Stage, entry: Row, *faults: Fault) -> list[str]:
    state = {"bookmarks": {"users": entry}}
    return stage.answered(*faults, select=("users",), state=state, page_size=20)


# The command

BROKEN = """
from tap_vitally.sync.record_mapper import RecordMapper
from tap_vitally.__main__ import main
RecordMapper.records = None
main()
"""


def said(log: str) -> list[str]:
    """The warnings and errors in what a process has logged."""
    return re.findall(r"\| (?:WARNING|ERROR) +\| [\w.-]+ +\| (.*)", log)


def mistaken(arguments: Callable[[Stage], list[str]], stage: Stage, **env: str) -> list[str]:
    return said(run_command(arguments(stage), env=env).stderr)


FAILURE_CASES |= {
    "config": partial(mistaken, lambda stage: [*stage.command()[:4], __file__]),
    "no file": partial(mistaken, lambda stage: [*stage.command()[:4], "/nowhere/to/be/found.json"]),
    "variable": partial(
        mistaken, lambda stage: [*stage.command()[:4], "ENV"], TAP_VITALLY_PAGE_SIZE="many"
    ),
    "word": partial(
        mistaken, lambda stage: [*stage.command()[:4], "ENV"], TAP_VITALLY_INCLUDE_ARCHIVED="y"
    ),
    "state": partial(mistaken, lambda stage: stage.command("--state", __file__)),
    "catalog": partial(mistaken, lambda stage: stage.command("--catalog", stage.command()[-1])),
    "closed": partial(mistaken, lambda s: ["sh", "-c", 'exec "$@" >&-', "sh", *s.command()]),
    "unforeseen": partial(mistaken, lambda s: [sys.executable, "-c", BROKEN, *s.command()[3:]]),
    "expression": partial(
        mistaken, lambda stage: stage.command(stream_maps={"accounts": {"name": "int(name)"}})
    ),
}


def started(stage: Stage) -> subprocess.Popen[bytes]:
    """Start a run whose output is for the test to read."""
    pipe = subprocess.PIPE
    return subprocess.Popen(stage.command(), stdout=pipe, stderr=pipe, cwd=ROOT)


@failure_case("signal")
def terminated(stage: Stage) -> list[str]:
    with started(stage) as process:
        stage.sandbox.before_request = lambda entry: (
            process.send_signal(signal.SIGTERM) if entry.path.endswith("/users") else None
        )
        _, log = process.communicate(timeout=60)
        stage.sandbox.before_request = None
    assert process.returncode == 128 + signal.SIGTERM
    return said(log.decode())


@failure_case("pipe")
def left_by_the_target(stage: Stage) -> list[str]:
    with started(stage) as process:
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    return said(log.decode())
