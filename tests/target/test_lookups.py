"""What Vitally holds is found, in whichever of its lists it is and however it is spelled."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from harness.target import Row, messages, write
from sandbox import Entry, Fault, Sandbox, World, Writing, serve
from tap_vitally.streams import STREAMS
from target_vitally.lookup.references import LOOKED_UP
from target_vitally.resources import RESOURCES

MANY = 30
"""Records that are looked for in the list, and not one by one."""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An empty workspace."""
    with serve(World.empty()) as made:
        yield made


def written(sandbox: Sandbox) -> list[str]:
    return [entry.method for entry in sandbox.requests if entry.method != "GET"]


def test_tap_and_target_read_the_same_lists() -> None:
    read = {stream.name: stream.resource for stream in STREAMS}
    wanted = {name for name, each in RESOURCES.items() if not each.only_message}
    wanted -= {"messages", "meeting_transcripts"}
    for name in wanted | LOOKED_UP.keys():
        api = {**LOOKED_UP, **RESOURCES}[name].api
        listed = (read[name].path, read[name].variants, read[name].sortable)
        assert listed == (api.path, api.variants, api.sortable)


# Accounts that have churned


@pytest.mark.parametrize("number", [1, MANY])
def test_accounts_that_have_churned_are_there(sandbox: Sandbox, number: int) -> None:
    world = sandbox.world
    for each in range(number):
        world.churn(world.create("accounts", externalId=f"a{each}", name="A", traits={})["id"])
    rows: list[Row] = [{"externalId": f"a{each}", "name": "A"} for each in range(number)]
    assert write(sandbox, messages(accounts=rows)).words == ["unchanged"] * number
    users = [{"externalId": f"u{n}", "accountExternalId": f"a{n}"} for n in range(number)]
    assert write(sandbox, messages(users=users)).words == ["created"] * number
    for row in rows:
        row["name"] = "B"
    assert write(sandbox, messages(accounts=rows), mode="update").words == ["updated"] * number
    for row in rows:
        row["_deleted"] = True
    found = write(sandbox, messages(accounts=rows), deletes="delete")
    assert found.words == ["deleted"] * number
    assert world.ids("accounts") == []


@pytest.mark.parametrize("number", [1, MANY])
def test_answers_about_organizations_are_there(sandbox: Sandbox, number: int) -> None:
    world = sandbox.world
    account = world.create("accounts", externalId="a")["id"]
    user = world.create("users", externalId="u", accountIds=[account])["id"]
    organization = world.create("organizations", externalId="o")["id"]
    for each in range(number):
        world.create(
            "npsResponses",
            externalId=f"r{each}",
            userId=user,
            organizationId=organization,
            score=1,
            respondedAt="2026-01-01T00:00:00.000Z",
        )
    rows = [{"externalId": f"r{each}", "score": 2} for each in range(number)]
    assert write(sandbox, messages(nps_responses=rows), mode="update").words == ["updated"] * number


# E-mails


def put_users(sandbox: Sandbox, *emails: str) -> str:
    account: str = sandbox.world.create("accounts", externalId="a")["id"]
    for number, email in enumerate(emails):
        sandbox.world.create("users", externalId=f"u{number}", email=email, accountIds=[account])
    return account


PEOPLE = {"people": {"resource": "users", "match": "email"}}
CASES = pytest.mark.parametrize("case", ["counts", "ignored"])


@CASES
@pytest.mark.parametrize("others", [0, 3, 150])
def test_the_case_of_an_email_does_not_count(case: Any, others: int) -> None:
    with serve(World.empty(), writing=Writing(email_case=case)) as sandbox:
        put_users(sandbox, "Uma@Example.com", *(f"Other{n}@Example.com" for n in range(others)))
        rows = [
            {"email": spelled, "name": "N"} for spelled in (" uma@example.com ", "UMA@example.com")
        ]
        found = write(sandbox, messages(people=rows), streams=PEOPLE)
        assert found.words == ["updated"] * 2
        assert write(sandbox, messages(people=rows), streams=PEOPLE).words == ["unchanged"] * 2
        assert len(sandbox.world.ids("users")) == others + 1


@CASES
@pytest.mark.parametrize("others", [0, 150])
def test_users_who_differ_in_case_alone_are_several(case: Any, others: int) -> None:
    with serve(World.empty(), writing=Writing(email_case=case)) as sandbox:
        more = (f"Other{n}@Example.com" for n in range(others))
        put_users(sandbox, "Uma@Example.com", *more, "uma@example.com")
        rows = [{"email": "uma@example.com", "name": "N"}]
        found = write(sandbox, messages(people=rows), streams=PEOPLE)
        assert found.words == ["rejected"]
        assert "2 records have this email" in found.reasons
        answer = {"externalId": "r", "userEmail": "UMA@example.com", "score": 1}
        answers = [{**answer, "respondedAt": "2026-01-01T00:00:00Z"}]
        found = write(sandbox, messages(nps_responses=answers))
        assert found.words == ["rejected"]
        assert "2 of the users have the email" in found.reasons


@CASES
@pytest.mark.parametrize("listed", [True, False])
def test_people_are_referred_to_by_an_email_in_any_case(case: Any, *, listed: bool) -> None:
    with serve(World.empty(), writing=Writing(email_case=case)) as sandbox:
        put_users(sandbox, "Uma@Example.com")
        admin = sandbox.world.create("admins", email="ada@example.com")["id"]
        user = sandbox.world.ids("users")[0]
        for name in ("taskCategories", "noteCategories", "projectTemplates"):
            sandbox.world.create(name, name="Usual")
        sandbox.world.create("customObjects", name="deal")
        if not listed:
            sandbox.faults.append(Fault("status", "admins", status=403))
        ada, uma = " ADA@example.com", "uma@EXAMPLE.com"
        found = write(
            sandbox,
            messages(
                tasks=[
                    {
                        "externalId": "t",
                        "name": "T",
                        "accountExternalId": "a",
                        "assignedToEmail": ada,
                        "completedByEmail": ada,
                    }
                ],
                notes=[
                    {
                        "externalId": "n",
                        "note": "N",
                        "noteDate": "2026-01-01",
                        "accountExternalId": "a",
                        "authorEmail": ada,
                    }
                ],
                custom_object_instances=[
                    {
                        "externalId": "i",
                        "name": "I",
                        "customObjectName": "deal",
                        "accountExternalId": "a",
                        "ownerEmail": ada,
                    }
                ],
                nps_responses=[
                    {
                        "externalId": "r",
                        "userEmail": uma,
                        "score": 1,
                        "respondedAt": "2026-01-01T00:00:00Z",
                    }
                ],
                conversations=[{"externalId": "c", "subject": "S", "messages": []}],
                messages=[
                    {
                        "externalId": "m",
                        "conversationExternalId": "c",
                        "message": "M",
                        "from": {"type": "user", "email": uma},
                        "to": [{"email": ada}],
                    }
                ],
                meetings=[
                    {
                        "externalId": "e",
                        "title": "M",
                        "participants": [{"email": uma}, {"email": ada}],
                    }
                ],
            ),
        )
        assert found.words == ["created"] * 7, found
        rows = {name: table.rows for name, table in sandbox.world.tables.items()}
        assert {row["assignedToId"] for row in rows["tasks"].values()} == {admin}
        assert {row["completedById"] for row in rows["tasks"].values()} == {admin}
        assert {row["authorId"] for row in rows["notes"].values()} == {admin}
        assert {row["ownedByVitallyUserId"] for row in rows["instances"].values()} == {admin}
        assert {row["userId"] for row in rows["npsResponses"].values()} == {user}
        assert {row["from"]["id"] for row in rows["messages"].values()} == {user}


# What is archived


def put_archived(sandbox: Sandbox, stream: str) -> tuple[str, Row, Row]:
    """Put an archived record there; return its table, a row of it and one that goes by its id."""
    world = sandbox.world
    account = world.create("accounts", externalId="a")["id"]
    links: Row = {"accountId": account}
    table = {"custom_object_instances": "instances"}.get(stream, stream)
    inside: Row = {}
    if table == "instances":
        owner = world.create("customObjects", name="deal")["id"]
        links = {"customerIds": [account], "customObjectId": owner}
        inside = {"customObjectName": "deal", "accountExternalId": "a"}
    if table == "meetings":
        links = {"accountIds": [account]}
    made = world.create(table, **({} if table == "projects" else {"externalId": "k"}), **links)
    world.archive(table, made["id"])
    title = "title" if table == "meetings" else "subject" if table == "notes" else "name"
    return (
        table,
        {"externalId": "k", title: "new", **inside},
        {"id": made["id"], title: "new", **inside},
    )


@pytest.mark.parametrize("number", [1, MANY])
@pytest.mark.parametrize("by", ["externalId", "id"])
@pytest.mark.parametrize("searched", ["found", "hidden"])
@pytest.mark.parametrize(
    "stream", ["custom_object_instances", "tasks", "notes", "projects", "meetings"]
)
def test_what_is_archived_is_one_answer_whichever_way_it_is_found(
    stream: str, searched: Any, by: str, number: int
) -> None:
    if stream == "projects" and by == "externalId":
        pytest.skip("projects have none")
    with serve(World.empty(), writing=Writing(archived_instances=searched)) as sandbox:
        _, row, by_id = put_archived(sandbox, stream)
        given = row if by == "externalId" else by_id
        others = [{**given, by: f"other {each}"} for each in range(number - 1)]
        found = write(sandbox, messages(**{stream: [given, *others]}), mode="update")
        assert found.words[0] == "rejected"
        assert "archived in Vitally" in found.reasons
        gone = {**given, "_deleted": True}
        found = write(sandbox, messages(**{stream: [gone]}), deletes="delete")
        assert found.words == ["unchanged"]
        assert written(sandbox) == []


@pytest.mark.parametrize("number", [1, MANY])
@pytest.mark.parametrize("searched", ["found", "hidden"])
def test_an_archived_record_beside_another_of_its_key_does_not_count(
    searched: Any, number: int
) -> None:
    with serve(World.empty(), writing=Writing(archived_instances=searched)) as sandbox:
        _, row, _ = put_archived(sandbox, "custom_object_instances")
        world = sandbox.world
        archived = next(iter(world.tables["instances"].rows.values()))
        live = world.create(
            "instances", externalId="k", customObjectId=archived["customObjectId"], name="old"
        )
        others = [{**row, "externalId": f"other {each}"} for each in range(number - 1)]
        found = write(sandbox, messages(custom_object_instances=[row, *others]))
        assert found.words[0] == "updated"
        assert world.row("instances", live["id"])["name"] == "new"


def test_a_look_up_that_hides_what_is_archived_costs_one_list_of_it(sandbox: Sandbox) -> None:
    put_archived(sandbox, "meetings")
    paths: list[str] = []

    def note(entry: Entry) -> None:
        paths.append(f"{entry.path}?{entry.query}")

    sandbox.before_request = note
    rows = [{"externalId": f"new {each}", "title": "T"} for each in range(3)]
    write(sandbox, messages(meetings=rows), batch_size_rows=1)
    assert sum("archived=true" in path for path in paths) == 1
