"""Every route that writes, and that the read side shows what was written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.writing.write_schema import WRITE_SCHEMAS
from tests.sandbox.client import NOW
from tests.sandbox.writes import NOBODY, Writer, errors, writing


@pytest.fixture
def here() -> Iterator[Writer]:
    with writing() as writer:
        yield writer


def test_an_empty_workspace_has_only_what_the_app_edits(here: Writer) -> None:
    filled = {name for name, table in here.world.tables.items() if len(table)}
    assert filled >= {
        "admins",
        "customFields",
        "noteCategories",
        "projectCategories",
        "projectTemplates",
        "taskCategories",
    }
    assert filled.isdisjoint(WRITE_SCHEMAS)


def test_organizations(here: Writer) -> None:
    made = here.post(
        "organizations", externalId="o-1", name="Group", traits={"region": "north", "old": 1}
    )
    assert (made["name"], made["createdAt"], made["usersCount"]) == ("Group", NOW, 0)
    assert (made["segments"], made["mrr"]) == ([], None)
    assert here.get(f"organizations/{made['id']}") == here.get("organizations/o-1") == made
    here.world.clock.advance(60)
    put = here.put("organizations/o-1", traits={"old": None, "size": 5})
    assert put["traits"] == {"region": "north", "size": 5}
    assert put["name"] == "Group"
    assert put["updatedAt"] > made["updatedAt"]
    again = here.post("organizations", externalId="o-1", name="Group 2")
    assert (again["id"], again["name"]) == (made["id"], "Group 2")
    here.delete("organizations/o-1")
    assert here.is_gone(f"organizations/{made['id']}")


def test_accounts(here: Writer) -> None:
    group = here.organization()
    made = here.account(organizationId=group["id"])
    assert here.get("organizations/o-1")["accountsCount"] == 1
    assert here.client.rows(f"organizations/{group['id']}/accounts") == [made]
    assert here.put("accounts/a-1", organizationId=None)["organizationId"] is None
    assert here.put("accounts/a-1", organizationId="o-1")["organizationId"] == group["id"]
    assert here.put("accounts/a-1", name="Mills", accountOwnerId=None)["name"] == "Mills"
    owner = here.world.ids("admins")[0]
    assert errors(here.send("PUT", "accounts/a-1", {"accountOwnerId": owner})) == [
        ("/accountOwnerId", "type")
    ]
    here.delete("accounts/a-1")
    assert here.send("DELETE", "accounts/a-1").status_code == 404


def test_users(here: Writer) -> None:
    account = here.account()
    user = here.user(name="Uma Example", email="uma@example.com", traits={"role": "owner"})
    assert user["accounts"][0]["usersCount"] == here.get("accounts/a-1")["usersCount"] == 1
    assert user["joinDate"] == user["firstKnown"] == user["createdAt"]
    assert here.client.json("users/search", email="uma@example.com")["results"] == [user]
    assert here.client.rows(f"accounts/{account['id']}/users") == [user]
    other = here.account("a-2")
    moved = here.put("users/u-1", accountIds=[other["id"]], joinDate="2026-01-01T00:00:00Z")
    assert [each["id"] for each in moved["accounts"]] == [other["id"]]
    assert moved["joinDate"] == "2026-01-01T00:00:00.000Z"
    assert [here.get(f"accounts/a-{n}")["usersCount"] for n in (1, 2)] == [0, 1]
    here.delete("users/u-1")
    assert here.get("accounts/a-2")["usersCount"] == 0


def test_a_user_can_be_deleted_on_a_day_to_come(here: Writer) -> None:
    here.user()
    here.delete("users/u-1?deleteOn=2026-03-06")
    assert here.get("users/u-1")["externalId"] == "u-1"
    here.world.clock.advance(3 * 86_400)
    assert here.is_gone("users/u-1")
    here.user("u-2")
    assert errors(here.send("DELETE", "users/u-2?deleteOn=soon")) == [("/deleteOn", "format")]


def test_deleting_an_account_takes_what_was_its_alone(here: Writer) -> None:
    account, other = here.account(), here.account("a-2")
    here.user()
    here.user("u-2", accountIds=[account["id"], other["id"]])
    note = here.post("notes", note="x", noteDate=NOW, accountId=account["id"])
    here.delete("accounts/a-1")
    assert here.is_gone("users/u-1")
    assert here.is_gone(f"notes/{note['id']}")
    assert [each["id"] for each in here.get("users/u-2")["accounts"]] == [other["id"]]


def test_tasks(here: Writer) -> None:
    account, admin = here.account(), here.world.row("admins", here.world.ids("admins")[0])
    task = here.post(
        "tasks",
        externalId="t-1",
        name="Call",
        accountId=account["id"],
        assignedToId=admin["id"],
        dueDate="2026-03-01",
        tags=["q1"],
    )
    assert (task["account"]["id"], task["assignedTo"]) == (account["id"], admin)
    assert (task["meetingId"], task["projects"], task["completedAt"]) == (None, [], None)
    assert (
        here.post("tasks", externalId="t-1", name="Ring", accountId=account["id"])["id"]
        == (task["id"])
    )
    path = f"tasks/{task['id']}"
    done = here.put(path, completedAt="2026-03-02T00:00:00Z", completedById=admin["id"], tags=["q"])
    assert (done["completedBy"], done["tags"]) == (admin, ["q"])
    assert here.put(path, completedAt=None)["completedAt"] is None
    assert here.send("DELETE", "tasks/t-1").status_code == 404
    here.delete(path)
    assert here.get(path)["archivedAt"] == NOW
    assert here.client.rows("tasks", archived="false") == []


def test_notes(here: Writer) -> None:
    account = here.account(traits={"plan": "gold"})
    here.world.clock.advance(60)
    note = here.post(
        "notes",
        externalId="n-1",
        accountId=account["id"],
        note='<p onclick="x()">On {{account.traits.plan}}{{account.traits.none}}</p><script>1</script>',
        noteDate="2026-01-05T08:30:00Z",
        categoryId=here.world.ids("noteCategories")[0],
    )
    assert note["note"] == "<p>On gold</p>1"
    assert note["noteDate"] == "2026-01-05T08:30:00.000Z"
    assert (note["author"], note["tags"]) == (None, [])
    assert note["category"]["id"] == note["categoryId"]
    touched = here.get("accounts/a-1")["updatedAt"]
    assert touched > account["updatedAt"]
    here.world.clock.advance(60)
    assert here.put(f"notes/{note['id']}", externalId="n-2")["externalId"] == "n-2"
    assert here.get("accounts/a-1")["updatedAt"] == touched
    assert here.send("PUT", "notes/n-2", {"subject": "x"}).status_code == 404
    assert here.send("PUT", "notes/n-2?source=api", {"subject": "x"}).status_code == 404
    here.world.update("notes", note["id"], source="hubspot")
    assert here.put("notes/n-2?source=hubspot", subject="x")["subject"] == "x"
    here.delete(f"notes/{note['id']}")
    assert here.get(f"notes/{note['id']}")["archivedAt"]


def test_projects_are_made_of_a_template(here: Writer) -> None:
    account = here.account()["id"]
    template = here.world.row("projectTemplates", here.world.ids("projectTemplates")[0])
    made = here.post("projects", templateId=template["id"], accountId=account, traits={"k": "1"})
    assert (made["name"], made["traits"]) == (template["projectName"], {"k": "1"})
    assert here.post("projects", templateId=template["id"], customerId=account)["id"] != made["id"]
    assert len(here.client.rows(f"accounts/{account}/projects")) == 2
    path = f"projects/{made['id']}"
    assert here.put(path, name="Next", targetStartDate="2026-03-01")["name"] == "Next"
    both = {"accountId": account, "organizationId": here.organization()["id"]}
    refused = here.send("POST", "projects", {"templateId": template["id"], **both})
    assert errors(refused) == [("", "oneOf")]
    here.delete(path)
    assert here.get(path)["archivedAt"]


def test_nps_responses(here: Writer) -> None:
    user = here.user()["id"]
    whole = {"userId": user, "score": 9, "respondedAt": "2026-01-02T00:00:00Z"}
    made = here.post("npsResponses", externalId="s-1", feedback="Good", **whole)
    assert (made["user"]["id"], made["score"], made["dismissedAt"]) == (user, 9, None)
    assert here.client.rows("npsResponses") == [made]
    assert errors(here.send("PUT", "npsResponses/s-1", {"score": 8})) == [
        ("", "required"),
        ("", "required"),
    ]
    put = here.put("npsResponses/s-1", **{**whole, "score": 8})
    assert (put["id"], put["score"], put["feedback"]) == (made["id"], 8, "Good")
    assert errors(here.send("POST", "npsResponses", {**whole, "score": 11})) == [("/score", "type")]
    here.delete(f"npsResponses/{made['id']}")
    assert here.is_gone(f"npsResponses/{made['id']}")


def test_conversations_and_messages(here: Writer) -> None:
    user, admin = here.user()["id"], here.world.ids("admins")[0]
    people: dict[str, Any] = {
        "from": {"type": "user", "id": user},
        "to": [{"type": "admin", "id": admin}],
    }
    hello = {"externalId": "m-1", "message": "<p>Hello</p>", **people}
    made = here.post("conversations", externalId="c-1", subject="Login", messages=[hello])
    path = f"conversations/{made['id']}"
    assert [each["type"] for each in made["messages"]] == ["inbound"]
    assert [each["id"] for each in made["users"]] == [user]
    assert here.client.rows(f"accounts/{here.get('accounts/a-1')['id']}/conversations")
    more = {**hello, "externalId": "m-2", "timestamp": "2026-03-05T00:00:00Z"}
    put = here.put(path, messages=[{**hello, "message": "<p>Hi</p>"}, more])
    assert [each["message"] for each in put["messages"]] == ["<p>Hi</p>", "<p>Hello</p>"]
    third = here.post(f"{path}/messages", **{**hello, "externalId": "m-3"})
    assert here.get(f"messages/{third['id']}") == third
    here.delete(f"messages/{third['id']}")
    assert len(here.get(path)["messages"]) == 2
    stranger = {**hello, "from": {"type": "user", "id": NOBODY}}
    assert errors(here.send("POST", f"{path}/messages", stranger)) == [("/from", "reference")]
    here.delete(path)
    assert here.is_gone(f"messages/{put['messages'][0]['id']}")


def test_custom_objects_and_instances(here: Writer) -> None:
    field = {"label": "Next mood", "type": "string", "model": "CustomObject"}
    pulse = here.post(
        "customObjects", name="pulse", label="Pulse", writeMode="writable", customFields=[field]
    )
    assert pulse["customFields"][0]["path"] == "vitally.custom.nextMood"
    listed = here.client.json("customFields", model="customObjects", customObjectId=pulse["id"])
    assert [each["label"] for each in listed] == ["Next mood"]
    assert here.put(f"customObjects/{pulse['id']}", label="Beat")["label"] == "Beat"
    account = here.account()["id"]
    path = f"customObjects/{pulse['id']}/instances"
    deal = here.post(path, name="Deal", externalId="d-1", customerId=account)
    assert (deal["customerId"], deal["customer"]["id"]) == (account, account)
    assert here.client.json(f"{path}/search", externalId="d-1") == [deal]
    assert here.client.rows(path) == [deal]
    put = here.put(f"{path}/{deal['id']}", externalId="d-2", traits={"vitally.custom.mood": "ok"})
    assert (put["externalId"], put["traits"]) == ("d-2", {"vitally.custom.mood": "ok"})
    here.delete(f"{path}/{deal['id']}")
    assert here.client.json(f"{path}/search", id=deal["id"])[0]["archivedAt"]
    assert here.send("POST", f"customObjects/{NOBODY}/instances", {"name": "x"}).status_code == 404
    assert here.send("DELETE", f"customObjects/{pulse['id']}").status_code == 404


def test_meetings_participants_and_transcripts(here: Writer) -> None:
    here.user(email="uma@example.com")
    uma = {"email": "uma@example.com", "type": "attendee"}
    meeting = here.post("meetings", externalId="cal-1", title="QBR", participants=[uma])
    assert [each["externalId"] for each in meeting["accounts"]] == ["a-1"]
    assert meeting["participants"][0]["responseStatus"] == "needsAction"
    admin = here.world.ids("admins")[0]
    came = here.post("meetings/cal-1/participants", vitallyUserId=admin, type="organizer")
    assert came in here.get("meetings/cal-1")["participants"]
    here.delete(f"meetings/cal-1/participants/{came['id']}")
    assert came not in here.get("meetings/cal-1")["participants"]
    assert here.send("DELETE", f"meetings/cal-1/participants/{NOBODY}").status_code == 404
    assert here.put("meetings/cal-1", title="Q", participants=[])["participants"]
    for text in ("one", "two"):
        said = [{"speaker": {"externalId": "s"}, "sentences": [{"text": text}]}]
        here.post("meetings/cal-1/transcript", transcript=said)
        assert here.get("meetings/cal-1/transcript")["transcript"] == said
    here.delete("meetings/cal-1")
    assert here.send("PUT", "meetings/cal-1", {"title": "x"}).status_code == 400
    strangers = {"externalId": "cal-2", "title": "x", "participants": [{**uma, "email": "?"}]}
    assert errors(here.send("POST", "meetings", strangers)) == [("/participants", "anyOf")]
    both = {**uma, "vitallyUserId": admin}
    assert errors(here.send("POST", "meetings/cal-1/participants", both)) == [
        ("/participants", "oneOf")
    ]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("accounts", {"externalId": 7}, [("", "required"), ("/externalId", "type")]),
        ("accounts", [], [("", "type")]),
        ("accounts", {"externalId": "x", "name": None}, [("/name", "type")]),
        ("users", {"externalId": "x", "accountIds": []}, [("", "anyOf")]),
        ("users", {"externalId": "x", "accountIds": ["x"]}, [("/accountIds/0", "reference")]),
        ("users", {"externalId": "x", "accountIds": "x"}, [("/accountIds", "type")]),
        ("tasks", {"name": "x", "accountId": NOBODY}, [("/accountId", "reference")]),
        ("tasks", {"name": "x"}, [("", "anyOf")]),
    ],
)
def test_a_wrong_body_is_refused_with_all_that_is_wrong(
    here: Writer, path: str, body: Any, expected: Any
) -> None:
    assert errors(here.send("POST", path, body)) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "noteCategories"),
        ("POST", "accounts/x/notes"),
        ("PUT", f"accounts/{NOBODY}"),
        ("DELETE", f"messages/{NOBODY}"),
        ("DELETE", "admins/x"),
    ],
)
def test_what_is_not_there_cannot_be_written(here: Writer, method: str, path: str) -> None:
    assert here.send(method, path, {}).status_code == 404


def test_a_body_that_is_no_json(here: Writer) -> None:
    url = f"{here.client.sandbox.url}/resources/accounts"
    assert here.client.post(url, data=b"{", timeout=20).status_code == 400


def test_two_sandboxes_at_once_do_not_meet(here: Writer) -> None:
    here.account()
    with writing() as other:
        assert other.client.rows("accounts") == []
    assert here.client.sandbox.requests.by_method() == {"POST": 1}
