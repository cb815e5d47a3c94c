"""Makes tasks, which refer to projects and meetings."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.factories.random_values import Factory, NewRow, RandomValues
from sandbox.table import Row


def _task(values: RandomValues, serial: int, given: Row) -> NewRow:
    assignee, category = values.maybe(values.any("admins"), 0.9), values.any("taskCategories")
    finisher = assignee if serial % 3 == 0 else None
    project = values.maybe(values.any("projects"), 0.3)
    return NewRow(
        {
            **values.stamps(),
            "externalId": values.maybe(f"task-{serial}", 0.3),
            **values.parent(serial, given),
            "name": values.phrase(),
            "description": values.maybe(values.html()),
            "dueDate": values.day(),
            "completedAt": values.past(1) if finisher else None,
            "completedById": finisher,
            "completedBy": values.rows.copy_of("admins", finisher),
            "assignedToId": assignee,
            "assignedTo": values.rows.copy_of("admins", assignee),
            "createdById": values.any("admins"),
            "categoryId": category,
            "category": values.rows.copy_of("taskCategories", category),
            "projects": [values.rows.copy_of("projects", project)] if project else [],
            "tags": ["renewal", "日本"][: serial % 3],
            "meetingId": values.maybe(values.any("meetings"), 0.1),
            "source": values.source(),
            "archivedAt": values.archived(serial),
            "traits": {},
        }
    )


FACTORIES: Mapping[str, Factory] = {
    "tasks": Factory(_task, size=lambda accounts: 3 * accounts, edited="name"),
}
