"""Makes notes and projects, and the categories and templates of the workspace."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Mapping

from sandbox.factories.random_values import Factory, NewRow, RandomValues
from sandbox.fake_values import ODD_TEXTS
from sandbox.table import Row


def _category(values: RandomValues, serial: int, _given: Row) -> NewRow:
    return NewRow({**values.stamps(), "name": f"{values.phrase()} {'✨' if serial % 2 else ''}"})


def _project_template(values: RandomValues, serial: int, _given: Row) -> NewRow:
    return NewRow(
        {
            **values.stamps(),
            "name": values.phrase(),
            "projectName": f"{values.phrase()} {serial}",
            "description": values.maybe(values.html()),
            "projectCategoryId": values.any("projectCategories") if serial % 4 else "1",
            "traits": {},
        }
    )


def _note(values: RandomValues, serial: int, given: Row) -> NewRow:
    author, category = values.maybe(values.any("admins"), 0.8), values.any("noteCategories")
    odd = dict(enumerate(ODD_TEXTS)).get(serial % 10)
    return NewRow(
        {
            **values.stamps(),
            "externalId": "" if serial % 37 == 5 else values.maybe(f"note-{serial}", 0.3),
            **values.parent(serial, given),
            "subject": values.phrase(),
            "note": values.html() + (f"<p>{odd}</p>" if odd else ""),
            "noteDate": values.moments.created,
            "meetingDescription": values.maybe(values.phrase(), 0.1),
            "authorId": author,
            "author": values.rows.copy_of("admins", author),
            "categoryId": category,
            "category": values.rows.copy_of("noteCategories", category),
            "tags": ["onboarding", "🔥"][: serial % 3],
            "users": [],
            "source": values.source(),
            "archivedAt": values.archived(serial),
            "traits": values.traits() if serial % 4 == 1 else {},
        }
    )


def _project(values: RandomValues, serial: int, given: Row) -> NewRow:
    parent = values.parent(serial, given)
    done = serial % 3 == 0
    return NewRow(
        {
            **values.stamps(),
            "name": f"{values.phrase()} {serial}",
            "accountId": parent["accountId"],
            "organizationId": parent["organizationId"],
            "templateId": values.maybe(values.any("projectTemplates")),
            "durationInDays": values.random.randrange(90),
            "targetStartDate": values.day(),
            "targetCompletionDate": values.day(),
            "actualStartDate": values.day(),
            "actualCompletionDate": values.past(1) if done else None,
            "ownedByVitallyUserId": values.any("admins"),
            "projectCategoryId": values.any("projectCategories"),
            "projectStatusId": values.random.choice(values.fake_values.project_statuses),
            "archivedAt": values.archived(serial),
            "traits": values.traits() if serial % 3 == 1 else {},
        }
    )


FACTORIES: Mapping[str, Factory] = {
    "noteCategories": Factory(_category, size=lambda _: 4, edited="name"),
    "taskCategories": Factory(_category, size=lambda _: 3, edited="name"),
    "projectCategories": Factory(_category, size=lambda _: 3, edited="name"),
    "projectTemplates": Factory(_project_template, size=lambda _: 5, edited="description"),
    "notes": Factory(_note, size=lambda accounts: 2 * accounts, edited="note"),
    "projects": Factory(_project, size=lambda accounts: -(-accounts // 2), edited="name"),
}
