"""What a tap should deliver: for each stream the rows, by primary key, at this very moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from sandbox.resources import DATA_MODELS, LISTS, NESTED_LISTS
from sandbox.rows import Rows
from sandbox.table import Row

ExpectedRows: TypeAlias = "dict[tuple[str, ...], Row]"
"""The rows of a stream by the values of its primary key."""


def stream_name(resource: str) -> str:
    """Spell a resource as a stream: ``npsResponses`` is ``nps_responses``."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", resource)


WHOLE_TABLES: Final[Mapping[str, str]] = {
    "custom_object_instances": "instances",
    **{
        stream_name(resource): resource
        for resource in (*LISTS, "surveyResponses")
        if resource != "npsResponses"
    },
}
"""Streams whose rows are a table's rows as they are, with ``id`` as the key."""

NESTED: Final[Mapping[str, tuple[str, str, str]]] = {
    f"{parents.removesuffix('s')}_{stream_name(resource)}": (
        parents,
        resource,
        f"parent{parents.removesuffix('s').capitalize()}Id",
    )
    for parents, lists in NESTED_LISTS.items()
    for resource in lists
}
"""Streams read per parent: the parents' table, the rows' table, the property added to each row."""


def expected_rows(world: Rows, stream: str) -> ExpectedRows:
    """Return the rows of one of `STREAMS`."""
    if stream in WHOLE_TABLES:
        return _by(("id",), world.tables[WHOLE_TABLES[stream]].rows.values())
    if stream in NESTED:
        return _nested(world, *NESTED[stream])
    if stream in SPECIAL:
        return SPECIAL[stream](world)
    msg = f"unknown stream: {stream} (there are {', '.join(STREAMS)})"
    raise ValueError(msg)


def _by(key: tuple[str, ...], rows: Iterable[Row]) -> ExpectedRows:
    return {tuple(row[field] for field in key): row for row in rows}


def _nested(world: Rows, parents: str, resource: str, added: str) -> ExpectedRows:
    table = world.tables[resource]
    return _by(
        (added, "id"),
        (
            {**table.rows[child], added: parent}
            for parent in world.tables[parents].ids
            for child in table.listed(parent)
        ),
    )


def _nps_responses(world: Rows) -> ExpectedRows:
    table = world.tables["npsResponses"]
    rows = (
        {**table.rows[key], "target": target}
        for target in ("accounts", "organization")
        for key in table.listed(target)
    )
    return _by(("id",), rows)


def _custom_fields(world: Rows) -> ExpectedRows:
    return _fields_of(world, "model", DATA_MODELS)


def _custom_object_fields(world: Rows) -> ExpectedRows:
    return _fields_of(world, "customObjectId", world.tables["customObjects"].ids)


def _fields_of(world: Rows, added: str, owners: Iterable[str]) -> ExpectedRows:
    table = world.tables["customFields"]
    rows = ({**table.rows[key], added: owner} for owner in owners for key in table.listed(owner))
    return _by((added, "path"), rows)


def _messages(world: Rows) -> ExpectedRows:
    return _by(("id",), _messages_with_their_conversation(world))


def _messages_with_their_conversation(world: Rows) -> Iterator[Row]:
    conversations, messages = world.tables["conversations"], world.tables["messages"]
    for conversation in conversations.ids:
        links = conversations.links(conversation)
        added = {
            "conversationId": conversation,
            "conversationUpdatedAt": conversations.rows[conversation]["updatedAt"],
            **{
                f"conversation{kind}Ids": [
                    link for link in links if link in world.tables[f"{kind.lower()}s"].rows
                ]
                for kind in ("Account", "User", "Admin")
            },
        }
        for message in messages.listed(conversation):
            yield {**messages.rows[message], **added}


def _survey_questions(world: Rows) -> ExpectedRows:
    """Only the questions that somebody has answered: nothing else tells that they exist."""
    table = world.tables["surveyQuestions"]
    asked = {
        answer["questionId"]
        for response in world.tables["surveyResponses"].rows.values()
        for answer in response["questionResponses"]
    }
    return _by(("id",), (row for key, row in table.rows.items() if key in asked))


def _account_health_scores(world: Rows) -> ExpectedRows:
    answers = {account: world.health_scores(account) for account in world.tables["accounts"].ids}
    return {
        (account,): {"accountId": account, "answer": answer}
        for account, answer in answers.items()
        if answer is not None
    }


SPECIAL: Final[Mapping[str, Callable[[Rows], ExpectedRows]]] = {
    "nps_responses": _nps_responses,
    "custom_fields": _custom_fields,
    "custom_object_fields": _custom_object_fields,
    "messages": _messages,
    "survey_questions": _survey_questions,
    "account_health_scores": _account_health_scores,
}
"""Streams that need some work of their own."""

STREAMS: Final = (*WHOLE_TABLES, *NESTED, *SPECIAL)
"""The names of all streams."""
