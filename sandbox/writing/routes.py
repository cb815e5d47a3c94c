"""The routes below ``/resources`` that write (API notes: writing)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, Final

from sandbox.api import Api
from sandbox.fake_values import new_id
from sandbox.pages import NOT_FOUND, Params, Plain, RefusedError
from sandbox.table import Row
from sandbox.writing import talks
from sandbox.writing.analytics import Analytics
from sandbox.writing.bodies import read_body
from sandbox.writing.store import Store
from sandbox.writing.switches import Writing
from sandbox.writing.write_schema import WRITE_SCHEMAS, problem, refusal

PUT_BY_EXTERNAL_ID: Final = frozenset(
    {"accounts", "meetings", "npsResponses", "organizations", "users"}
)
DELETE_BY_EXTERNAL_ID: Final = frozenset({"accounts", "meetings", "organizations", "users"})
WRITABLE: Final = WRITE_SCHEMAS.keys() - {"messages", "instances", "participants", "transcripts"}
"""Resources that have a path of their own."""


class Writer:
    """Answers POST, PUT and DELETE."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._store = Store(api.world)
        self._random = Random("custom fields")
        self.analytics = Analytics(api.world, self._store)

    @property
    def switches(self) -> Writing:
        """How it writes where nobody knows."""
        return self._store.switches

    @switches.setter
    def switches(self, switches: Writing) -> None:
        self._store.switches = self._api.switches = switches

    def catch_up(self) -> None:
        """Do what was put off until now."""
        with self._api.world.lock:
            self._store.catch_up()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Carry a request out after so many seconds by the sandbox's clock; nobody hears how it went."""
        self._store.put_off(self._api.world.clock.now() + timedelta(seconds=seconds), act)

    def write(self, method: str, path: Sequence[str], params: Params, body: bytes) -> Plain:
        """Answer a request for decoded segments below ``/resources``."""
        try:
            with self._api.world.lock:
                return self._route(method, path, params, body)
        except RefusedError as refused:
            answer = refused.answer
            if self.switches.errors_as_200 and answer.status in (400, 409):
                return replace(answer, status=200)
            return answer

    def _route(self, method: str, path: Sequence[str], params: Params, body: bytes) -> Plain:
        if method == "DELETE":
            return self._delete(path, params)
        document = read_body(body, doubles=self.switches.doubles)
        return (self._post if method == "POST" else self._put)(path, params, document)

    def _post(  # noqa: PLR0911 - a table of routes
        self, path: Sequence[str], _params: Params, body: Any
    ) -> Plain:
        store = self._store
        match path:
            case ["conversations"]:
                return self._as_shown("conversations", talks.post_conversation(store, body))
            case ["conversations", name, "messages"]:
                key = store.find("conversations", name, external=False)
                return self._as_shown("messages", talks.post_message(store, key, body))
            case ["meetings"]:
                return self._as_shown("meetings", talks.post_meeting(store, body))
            case ["meetings", name, "participants"]:
                return Plain(talks.add_participant(store, self._meeting(name), body))
            case ["meetings", name, "transcript"]:
                return talks.post_transcript(store, self._meeting(name), body)
            case ["customObjects"]:
                return self._as_shown("customObjects", self._custom_object(body))
            case ["customObjects", name, "instances"]:
                return self._post_instance(name, body)
            case ["projects"]:
                return self._as_shown("projects", self._project(body))
            case [resource] if resource in WRITABLE:
                fields = store.checked(resource, body, creating=True)
                return self._as_shown(resource, store.post(resource, fields))
        return NOT_FOUND

    def _put(self, path: Sequence[str], params: Params, body: Any) -> Plain:
        store = self._store
        match path:
            case ["conversations", name]:
                key = store.find("conversations", name, external=False)
                return self._as_shown("conversations", talks.put_conversation(store, key, body))
            case ["customObjects", parent, "instances", name]:
                key = self._instance(parent, name)
                fields = store.checked("instances", body, creating=False)
                return self._as_shown("instances", store.change("instances", key, fields))
            case ["customObjects", name]:
                key = store.find("customObjects", name, external=False)
                fields = store.checked("customObjects", body, creating=False)
                if "customFields" in fields:
                    fields["customFields"] = self._custom_fields(key, fields["customFields"])
                return self._as_shown("customObjects", store.change("customObjects", key, fields))
            case [resource, name] if resource in WRITABLE:
                key = self._named(resource, name, params)
                if resource == "meetings" and self.switches.archived_meeting == "refuse":
                    self._refuse_archived(key)
                fields = store.checked(resource, body, creating=False)
                if resource == "npsResponses":
                    fields |= self._user_of(fields)
                return self._as_shown(resource, store.change(resource, key, fields))
        return NOT_FOUND

    def _delete(self, path: Sequence[str], params: Params) -> Plain:
        store = self._store
        match path:
            case ["users", name]:
                key = store.find("users", name, external=True)
                store.remove_user(key, params.get("deleteOn"))
            case ["meetings", name, "participants", person]:
                talks.drop_participant(store, self._meeting(name), person)
            case ["customObjects", parent, "instances", name]:
                store.remove("instances", self._instance(parent, name))
            case ["customObjects", _] if not self.switches.delete_custom_objects:
                return NOT_FOUND
            case ["messages", name]:
                store.remove("messages", store.find("messages", name, external=False))
            case [resource, name] if resource in WRITABLE:
                by_external = resource in DELETE_BY_EXTERNAL_ID
                store.remove(resource, store.find(resource, name, external=by_external))
            case _:
                return NOT_FOUND
        if self.switches.deleted_status == 204:  # noqa: PLR2004 - as HTTP has it
            return Plain(status=204, body=b"")
        return Plain({"success": True})

    # What a path means.

    def _named(self, resource: str, name: str, params: Params) -> str:
        """Find what is to be changed; notes and tasks go by external id only with a source."""
        if resource in ("notes", "tasks") and params.get("source"):
            found = self._api.get([resource, name], params)
            if not isinstance(found, Plain) or found.status != 200:  # noqa: PLR2004 - as HTTP has it
                raise RefusedError(NOT_FOUND)
            return str(found.payload["id"])
        external = resource in PUT_BY_EXTERNAL_ID or (
            resource in ("notes", "tasks") and self.switches.bare_external_ids
        )
        return self._store.find(resource, name, external=external)

    def _meeting(self, name: str) -> str:
        return self._store.find("meetings", name, external=True)

    def _instance(self, parent: str, name: str) -> str:
        key = self._store.find("instances", name, external=False)
        if self._api.world.row("instances", key)["customObjectId"] != parent:
            raise RefusedError(NOT_FOUND)
        return key

    def _refuse_archived(self, meeting: str) -> None:
        if self._api.world.row("meetings", meeting)["archivedAt"]:
            raise RefusedError(Plain({"error": "Meeting is archived"}, 400))

    # What only some resources need.

    def _post_instance(self, parent: str, body: Any) -> Plain:
        store, world = self._store, self._api.world
        owner = store.find("customObjects", parent, external=False)
        fields = {
            **store.checked("instances", body, creating=True),
            "customObjectId": owner,
        }
        key = store.post("instances", fields, world.tables["instances"].listed(owner))
        return self._as_shown("instances", key)

    def _project(self, body: Any) -> str:
        """Make a project of its template, for exactly one company."""
        store, wanted = self._store, self.switches.project_parent
        fields = store.checked("projects", body, creating=True)
        given = "accountId" if "accountId" in fields else "customerId"
        organization = fields.get("organizationId")
        if wanted not in ("either", given) and not organization:
            message = f"must have required property '{wanted}'"
            raise RefusedError(refusal([problem("", "required", message, missing=wanted)]))
        account = fields.pop("customerId", None) or fields.get("accountId")
        if account and organization:
            message = "must have exactly one of accountId, organizationId"
            raise RefusedError(refusal([problem("", "oneOf", message)]))
        template = self._api.world.row("projectTemplates", fields["templateId"])
        return store.insert(
            "projects",
            {
                "name": template["projectName"],
                "projectCategoryId": template["projectCategoryId"],
                "traits": {},
                **fields,
                "accountId": account,
                "organizationId": organization,
            },
        )

    def _custom_object(self, body: Any) -> str:
        fields = self._store.checked("customObjects", body, creating=True)
        given = fields.pop("customFields", [])
        world = self._api.world
        key: str = world.write("customObjects", **fields, syncActive=True, customFields=[])["id"]
        world.update("customObjects", key, customFields=self._custom_fields(key, given))
        return key

    def _custom_fields(self, owner: str, given: Sequence[Row]) -> list[Row]:
        """Show the fields of a custom object, and add those that are new to the list of fields."""
        world = self._api.world
        before = {
            field["label"]: field for field in world.row("customObjects", owner)["customFields"]
        }
        observed = []
        for field in given:
            label = str(field.get("label", ""))
            if label not in before:
                words = label.title().replace(" ", "")
                path = f"vitally.custom.{words[:1].lower()}{words[1:]}"
                kind = field.get("type", "string")
                row = world.write(
                    "customFields", customObjectId=owner, label=label, path=path, type=kind
                )
                created = row["createdAt"] or world.row("customObjects", owner)["updatedAt"]
                new = {"id": new_id(self._random), "label": label, "path": path, "type": kind}
                before[label] = {**new, "createdAt": created}
            observed.append(before[label])
        return observed

    def _user_of(self, fields: Row) -> Row:
        """Show whose an NPS response is."""
        lacking = ("accounts", "organizations", "segments")
        return {"user": self._api.world.rows.copy_without("users", fields["userId"], lacking)}

    def _as_shown(self, resource: str, key: str) -> Plain:
        """Answer with the row as a GET would."""
        if resource == "conversations":
            found = self._api.get([resource, key], {})
            return found if isinstance(found, Plain) else NOT_FOUND
        return Plain(self._api.world.row(resource, key))
