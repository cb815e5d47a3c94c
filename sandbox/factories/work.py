"""Makes notes, tasks and projects, with their categories and templates."""

# ruff: noqa: PLR2004 - the odds of made-up data need no names

from __future__ import annotations

from collections.abc import Mapping

from sandbox.factories.random_values import Made, Make, RandomValues
from sandbox.fake_values import ODD_TEXTS
from sandbox.table import Row


def _category(draw: RandomValues, serial: int, _given: Row) -> Made:
    return Made({**draw.stamps(), "name": f"{draw.phrase()} {'✨' if serial % 2 else ''}"})


def _project_template(draw: RandomValues, serial: int, _given: Row) -> Made:
    return Made(
        {
            **draw.stamps(),
            "name": draw.phrase(),
            "projectName": f"{draw.phrase()} {serial}",
            "description": draw.maybe(draw.html()),
            "projectCategoryId": draw.any("projectCategories") if serial % 4 else "1",
            "traits": {},
        }
    )


def _note(draw: RandomValues, serial: int, given: Row) -> Made:
    author, category = draw.maybe(draw.any("admins"), 0.8), draw.any("noteCategories")
    odd = dict(enumerate(ODD_TEXTS)).get(serial % 10)
    return Made(
        {
            **draw.stamps(),
            "externalId": "" if serial % 37 == 5 else draw.maybe(f"note-{serial}", 0.3),
            **draw.parent(serial, given),
            "subject": draw.phrase(),
            "note": draw.html() + (f"<p>{odd}</p>" if odd else ""),
            "noteDate": draw.moments.created,
            "meetingDescription": draw.maybe(draw.phrase(), 0.1),
            "authorId": author,
            "author": draw.rows.copy_of("admins", author),
            "categoryId": category,
            "category": draw.rows.copy_of("noteCategories", category),
            "tags": ["onboarding", "🔥"][: serial % 3],
            "users": [],
            "source": draw.source(),
            "archivedAt": draw.archived(serial),
            "traits": draw.traits() if serial % 4 == 1 else {},
        }
    )


def _project(draw: RandomValues, serial: int, given: Row) -> Made:
    parent = draw.parent(serial, given)
    done = serial % 3 == 0
    return Made(
        {
            **draw.stamps(),
            "name": f"{draw.phrase()} {serial}",
            "accountId": parent["accountId"],
            "organizationId": parent["organizationId"],
            "templateId": draw.maybe(draw.any("projectTemplates")),
            "durationInDays": draw.random.randrange(90),
            "targetStartDate": draw.day(),
            "targetCompletionDate": draw.day(),
            "actualStartDate": draw.day(),
            "actualCompletionDate": draw.past(1) if done else None,
            "ownedByVitallyUserId": draw.any("admins"),
            "projectCategoryId": draw.any("projectCategories"),
            "projectStatusId": draw.random.choice(draw.fake_values.project_statuses),
            "archivedAt": draw.archived(serial),
            "traits": draw.traits() if serial % 3 == 1 else {},
        }
    )


def _task(draw: RandomValues, serial: int, given: Row) -> Made:
    assignee, category = draw.maybe(draw.any("admins"), 0.9), draw.any("taskCategories")
    finisher = assignee if serial % 3 == 0 else None
    project = draw.maybe(draw.any("projects"), 0.3)
    return Made(
        {
            **draw.stamps(),
            "externalId": draw.maybe(f"task-{serial}", 0.3),
            **draw.parent(serial, given),
            "name": draw.phrase(),
            "description": draw.maybe(draw.html()),
            "dueDate": draw.day(),
            "completedAt": draw.past(1) if finisher else None,
            "completedById": finisher,
            "completedBy": draw.rows.copy_of("admins", finisher),
            "assignedToId": assignee,
            "assignedTo": draw.rows.copy_of("admins", assignee),
            "createdById": draw.any("admins"),
            "categoryId": category,
            "category": draw.rows.copy_of("taskCategories", category),
            "projects": [draw.rows.copy_of("projects", project)] if project else [],
            "tags": ["renewal", "日本"][: serial % 3],
            "meetingId": draw.maybe(draw.any("meetings"), 0.1),
            "source": draw.source(),
            "archivedAt": draw.archived(serial),
            "traits": {},
        }
    )


MAKERS: Mapping[str, Make] = {
    "noteCategories": _category,
    "taskCategories": _category,
    "projectCategories": _category,
    "projectTemplates": _project_template,
    "notes": _note,
    "projects": _project,
    "tasks": _task,
}
