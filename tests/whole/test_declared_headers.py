"""The headers of a declared stream are secrets: no output holds them, and no other host gets them."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.support import (
    catalog_of,
    config_for,
    run_command,
    run_in_process,
    waits_pass_in_no_time,
)
from tests.whole.answering import Raw, answering
from vitally_api import VitallyError

TAP = [sys.executable, "-m", "tap_vitally"]
HEADER = "hush-hush/Value+1"
ECHOES = (HEADER, HEADER.upper(), "hush-hush%2FValue%2B1")
SCHEMA = {"properties": {"id": {"type": ["integer", "null"]}}}


def declared(name: str, **more: Any) -> dict[str, Any]:
    headers = {"X-Feature": HEADER}
    return {"name": name, "path": f"/{name}", "headers": headers, "schema": SCHEMA, **more}


def echo(status: int, **headers: str) -> Raw:
    error = {"message": f"not with X-Feature: {HEADER}", "errors": [{"message": ECHOES[1]}]}
    return Raw(status, {"error": error, ECHOES[2]: [{"id": 1}]}, headers)


FAILURES: dict[str, Raw] = {
    "refused": echo(400),
    "unauthorized": echo(401),
    "forbidden": echo(403),
    "missing": echo(404),
    "teapot": echo(418, **{"Content-Type": HEADER}),
    "limited": echo(429),
    "failing": echo(500),
    "gateway": echo(502),
    "broken_off": Raw(0),
    "odd_type": echo(200, **{"Content-Type": f"text/{HEADER}"}),
    "away": echo(302, Location=f"http://example.com/{HEADER}"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_tells_a_header(name: str, caplog: pytest.LogCaptureFixture) -> None:
    entry = declared(name)
    said = ""
    with answering(**{name: lambda _: FAILURES[name]}) as server, waits_pass_in_no_time():
        config = config_for(server.url, custom_streams=[entry])
        with caplog.at_level(logging.DEBUG):
            try:
                run_in_process(config, entries=catalog_of((name,), [entry]))
            except VitallyError as failure:
                said = str(failure)
        assert any(sent.get("X-Feature") == HEADER for path, _, sent in server.asked)
    assert said or "Skipped in" in caplog.text
    assert "hush" not in (said + caplog.text).lower()


def test_a_redirect_takes_no_header_elsewhere(caplog: pytest.LogCaptureFixture) -> None:
    entry = declared("away")
    with answering(away=lambda _: {"results": []}) as other:
        location = f"{other.url}/resources/away"
        with answering(away=lambda _: echo(307, Location=location)) as server:
            config = config_for(server.url, custom_streams=[entry])
            with caplog.at_level(logging.WARNING):
                run_in_process(config, entries=catalog_of(("away",), [entry]))
        assert other.asked == []
    assert "redirects to" in caplog.text


@pytest.mark.parametrize(
    "words", [["--test"], ["--sample", "refused"], ["--discover"], ["--about"], ["--version"], []]
)
def test_no_command_tells_a_header(words: list[str], tmp_path: Path) -> None:
    entries = [declared("refused", schema=None), declared("missing", schema=None)]
    path = tmp_path / "config.json"
    failing = {name: (lambda _, name=name: FAILURES[name]) for name in ("refused", "missing")}
    with answering(**failing) as server:
        path.write_text(json.dumps(config_for(server.url, custom_streams=entries)))
        done = run_command(
            [*TAP, "--config", str(path), *words], env={"TAP_VITALLY_LOGLEVEL": "DEBUG"}
        )
    assert "hush" not in (done.stdout + done.stderr).lower()
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("text", ['[{"headers": {"X": "hush"}', '"hush"', "hush", '{"hush": 1}'])
def test_a_setting_in_the_environment_that_is_wrong_is_not_repeated(text: str) -> None:
    environment = {
        "TAP_VITALLY_API_KEY": "x",
        "TAP_VITALLY_API_URL": "http://127.0.0.1:9",
        "TAP_VITALLY_CUSTOM_STREAMS": text,
    }
    done = run_command([*TAP, "--config", "ENV", "--discover"], env=environment)
    assert done.returncode == 1
    assert "custom_streams" in done.stderr.lower()
    assert "hush" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
