"""The plan as a file: a page, CSV or JSON lines, whole or not at all, with values that stay values."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import stat
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.target import Row, messages, write
from harness.workspace import Workspace
from target_vitally.mapping.plan import Plan
from target_vitally.mapping.planned_change import PlannedChange, requests_of
from target_vitally.pipeline.plan_file import FORMATS, Facts, PlannedChanges, cost, write_plan_file
from target_vitally.target import TargetVitally
from vitally_api import SettingsError

HOSTILE = [
    "</script><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "=HYPERLINK(1)",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    'a,b\n"c"',
    "$title $counts ${parts} $parts",
    "\u202eabc",
    "&amp; &lt;b>",
]


class Page(HTMLParser):
    """What a browser makes of the page: its texts and the tags that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)


@pytest.fixture
def there(here: Workspace) -> list[Row]:
    """Accounts of which some are changed, some deleted, and users that lose a link."""
    for n in range(6):
        here.put("accounts", externalId=f"a{n}", name=f"Old {n}", traits={"seats": n})
    first, second = (row["id"] for row in here.rows("accounts")[:2])
    here.put("users", externalId="u", name="Uma", email="u@example.com", accountIds=[first, second])
    return [
        *messages(
            accounts=[
                {"externalId": "a0", "name": "New 0", "traits": {"seats": 9}},
                {"externalId": "a1", "name": "Old 1", "traits": {"seats": 1}},
                *({"externalId": f"b{n}", "name": f"Made {n}"} for n in range(4)),
                {"externalId": "a4", "_deleted": True},
                {"externalId": "a5", "_deleted": True},
            ],
            contacts=[{"externalId": "u", "accountExternalIds": ["a0"]}],
        )
    ]


SETTINGS: dict[str, Any] = {
    "deletes": "delete",
    "streams": {"contacts": {"resource": "users", "links": "exact"}},
}


def planned(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_cannot_be_undone_comes_first(
    here: Workspace, there: list[Row], tmp_path: Path, *, dry_run: bool
) -> None:
    path = tmp_path / "plan.jsonl"
    found = write(here, there, dry_run=dry_run, plan_file=str(path), **SETTINGS)
    assert found.failure == ""
    lines = planned(path)
    assert [(line["action"], line["name"], line["key"]) for line in sorted(lines, key=_place)] == [
        ("delete", "Old 4", "a4"),
        ("delete", "Old 5", "a5"),
        ("unlink", "Uma", "u"),
        *(("create", f"Made {n}", f"b{n}") for n in range(4)),
        ("update", "Old 0", "a0"),
    ]
    assert [line["action"] for line in lines] == ["delete"] * 2 + ["unlink"] + ["create"] * 4 + [
        "update"
    ]
    assert lines[-1]["values"] == {
        "name": {"old": "Old 0", "new": "New 0"},
        "traits.seats": {"old": 0, "new": 9},
    }
    second = (
        here.rows("users")[0]["accountIds"][-1]
        if dry_run
        else lines[2]["values"][UNLINKED]["old"][0]
    )
    assert lines[2]["values"][UNLINKED] == {"old": [second], "new": []}
    assert lines[3]["values"]["name"] == {"old": None, "new": lines[3]["name"]}
    assert (here.writes() == []) is dry_run
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["plan.jsonl"]


UNLINKED = "unlinked accountIds"


def _place(line: Row) -> tuple[int, str]:
    return ["delete", "unlink", "create", "update"].index(line["action"]), line["key"]


def test_the_words_are_those_of_the_log_and_of_results_file(
    here: Workspace, there: list[Row], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "plan.jsonl"
    with caplog.at_level("INFO"):
        found = write(here, there, dry_run=True, plan_file=str(path), **SETTINGS)
    lines = {line["key"]: line for line in planned(path)}
    for result in found.results:
        if "changes" in result:
            assert lines[result["key"]]["values"] == result["changes"]
    assert "accounts: update a0: name, traits.seats" in caplog.text
    assert "accounts: create b0: externalId, name" in caplog.text
    assert "accounts: delete a4" in caplog.text
    assert f"contacts: unlink u: accountIds, {UNLINKED}" in caplog.text
    assert "New 0" not in caplog.text


def test_an_email_is_not_in_the_log(
    here: Workspace, there: list[Row], caplog: pytest.LogCaptureFixture
) -> None:
    assert there
    streams = {"users": {"match": "email"}}
    rows = [{"email": "u@example.com", "name": "New"}, {"name": "N", "email": "v@example.com"}]
    with caplog.at_level("INFO"):
        write(here, messages(users=rows), dry_run=True, streams=streams)
    user = here.rows("users")[0]["id"]
    assert f"users: update {user}: name" in caplog.text
    assert "@example.com" not in caplog.text


@pytest.mark.parametrize("limit", [0, 1, 3, 4])
@pytest.mark.parametrize("suffix", ["html", "csv", "jsonl"])
def test_the_rest_is_counted(
    here: Workspace, tmp_path: Path, suffix: str, limit: int, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"plan.{suffix}"
    rows = [{"externalId": f"b{n}", "name": f"Made {n}"} for n in range(4)]
    with caplog.at_level("INFO"):
        write(here, messages(accounts=rows), dry_run=True, plan_file=str(path), plan_limit=limit)
    text = path.read_text()
    assert [f"Made {n}" in text for n in range(4)] == [n < limit for n in range(4)]
    rest = {
        "html": f"And {4 - limit} more: plan_limit is {limit}.",
        "csv": f"create,accounts,and {4 - limit} more records,",
        "jsonl": f'"more":{4 - limit}',
    }
    assert (rest[suffix] in text) is (limit < 4)
    assert (f"accounts: create {4 - limit} more" in caplog.text) is (0 < limit < 4)


@pytest.mark.parametrize("value", HOSTILE)
def test_values_stay_values(here: Workspace, tmp_path: Path, value: str) -> None:
    row = {"externalId": value, "name": value, "traits": {value: value, "n": -5}}
    said = messages(**{value: [row]})
    streams = {value: {"resource": "accounts"}}
    for suffix in ("html", "csv", "jsonl"):
        write(here, said, dry_run=True, plan_file=str(tmp_path / f"plan.{suffix}"), streams=streams)
    page = Page((tmp_path / "plan.html").read_text())
    assert {tag for tag, _ in page.tags} <= TAGS
    assert page.texts.count(value.strip()) + page.texts.count(value) >= 4
    (line,) = planned(tmp_path / "plan.jsonl")
    key = line["key"]
    assert line["values"]["name"] == {"old": None, "new": line["name"]}
    with (tmp_path / "plan.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in list(csv.reader(file))[1:] for cell in row]
    assert not [c for c in cells if c.startswith(tuple("=+@\t\r\n"))]
    assert [c for c in cells if c.startswith("-")] == ["-5"]
    assert {key, f"'{key}"} & set(cells)


TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "thead", "tbody"),
    *("tr", "th", "td", "div", "input", "select", "option", "label", "section", "span", "script"),
}


def test_the_page_needs_nothing_from_elsewhere(here: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    write(here, messages(accounts=[{"externalId": "a", "name": "A"}]), plan_file=str(path))
    text = path.read_text()
    page = Page(text)
    assert not [
        tag for tag, attrs in page.tags if {"src", "href", "action", "onclick"} & attrs.keys()
    ]
    assert "url(" not in text
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert "What target-vitally did" in page.texts


def test_what_is_refused_is_shown_and_not_counted_as_cost(here: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "plan.html"
    here.put("accounts", externalId="a", name="A")
    rows = [
        {"externalId": "a", "name": "B"},
        *({"externalId": f"b{n}", "name": "N"} for n in "123"),
    ]
    found = write(
        here, messages(accounts=rows), dry_run=True, plan_file=str(path), first_push=False
    )
    assert found.words == ["updated", "rejected", "rejected", "rejected"]
    texts = " ".join(Page(path.read_text()).texts)
    assert "create 3 records of accounts Refused: more would be created than found" in texts
    assert "To carry it out takes 1 request." in texts
    assert "1 updated, 3 rejected" in texts


def test_a_plan_of_nothing_says_so(here: Workspace, tmp_path: Path) -> None:
    write(here, messages(accounts=[]), dry_run=True, plan_file=str(tmp_path / "plan.html"))
    assert "Nothing changes." in (tmp_path / "plan.html").read_text()


# The file


@pytest.mark.parametrize("name", ["plan.txt", "plan", "plan.html.gz", "plan.json"])
def test_another_ending_is_a_mistake(name: str) -> None:
    config = {"api_key": "k", "data_center": "eu", "plan_file": name}
    with pytest.raises((SettingsError, Exception), match=r"plan_file ends in none of .html, .csv"):
        TargetVitally(config=config)


def test_an_old_plan_is_not_taken_for_that_of_a_run_that_failed(
    here: Workspace, tmp_path: Path
) -> None:
    path = tmp_path / "plan.csv"
    path.write_text("of yesterday")
    here.key = "revoked"
    found = write(here, messages(accounts=[{"externalId": "a", "name": "A"}]), plan_file=str(path))
    assert found.failure
    assert list(tmp_path.iterdir()) == []


def test_a_plan_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = PlannedChanges(10, values=True)
    changes.add(PlannedChange("create", "s", "n", "k", {"a": (None, 1)}), "k")

    def broken(file: IO[str], *_: Any) -> None:
        file.write("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(FORMATS, ".csv", broken)
    with pytest.raises(OSError, match="No space"):
        write_plan_file(str(tmp_path / "plan.csv"), changes.parts, facts())
    changes.close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named_before_anything_is_sent(
    here: Workspace, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match="nowhere"):
        write(here, messages(accounts=[]), plan_file=str(tmp_path / "nowhere" / "plan.csv"))
    assert here.log == []


def facts(**more: Any) -> Facts:
    given_: dict[str, Any] = {
        "dry_run": True,
        "host": "h",
        "outcomes": {},
        "requests": 0,
        "per_minute": None,
        "limit": 20,
    }
    return Facts(**{**given_, **more})


# What it costs


@pytest.mark.parametrize(
    ("requests", "per_minute", "said"),
    [
        (0, 1000, "To carry it out takes no request."),
        (2500, 1000, "To carry it out takes 2,500 requests: 3 min at 1,000 a minute."),
        (7, None, "To carry it out takes 7 requests."),
    ],
)
def test_the_cost_is_said_in_requests_and_minutes(
    requests: int, per_minute: int | None, said: str
) -> None:
    assert cost(requests, per_minute) == said


@given(st.integers(0, 350))
def test_a_conversation_takes_a_request_for_each_hundred_messages(number: int) -> None:
    plan = Plan("created", body={"messages": [{}] * number})
    assert requests_of("conversations", plan) == max(1, -(-number // 100))


def test_participants_come_and_go_one_by_one() -> None:
    record = {"id": "m", "participants": [{"id": "1", "userId": "u"}, {"id": "2", "userId": "v"}]}
    body = {"participants": [{"userId": "u"}, {"userId": "w"}, {"userId": "x"}]}
    assert requests_of("meetings", Plan("updated", body=body, record=record)) == 3
    assert requests_of("meetings", Plan("updated", body={**body, "title": "T"}, record=record)) == 4


# Memory


def test_ten_times_as_many_changes_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for number in (1_000, 10_000):
        tracemalloc.start()
        changes = PlannedChanges(number, values=True)
        for n in range(number):
            changes.add(PlannedChange("update", "s", "name", "k", {"a": ("x" * 1000, n)}), "")
        write_plan_file(str(tmp_path / "plan.html"), changes.parts, facts(limit=number))
        changes.close()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 3_000_000
    assert (tmp_path / "plan.html").stat().st_size > 10_000_000
