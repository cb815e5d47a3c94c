with projects as (
    select
        links.source_relation,
        links.task_id,
        {{ vitally.list_of("projects.name") }} as project_names
    from {{ ref("stg_vitally__task_projects") }} as links
    {{ vitally.inner_join("links.project_id", "projects.project_id", vitally.not_deleted("projects")) }}
    group by
        links.source_relation,
        links.task_id
)

select
    tasks.task_id,
    tasks.name,
    tasks.created_at,
    tasks.updated_at,
    tasks.account_id,
    accounts.name as account_name,
    tasks.organization_id,
    organizations.name as organization_name,
    categories.name as task_category_name,
    projects.project_names,
    tasks.meeting_id,
    tasks.assigned_to_id,
    assignees.name as assigned_to_name,
    tasks.completed_by_id,
    finishers.name as completed_by_name,
    tasks.due_date,
    tasks.completed_at,
    tasks.archived_at,
    tasks.archived_at is not null as is_archived,
    tasks.completed_at is null
    and tasks.archived_at is null
    and deleted.record_id is null as is_open,
    tasks.completed_at is null
    and tasks.archived_at is null
    and deleted.record_id is null
    and coalesce(tasks.due_date < cast({{ vitally.as_of() }} as date), false) as is_overdue,
    case
        when
            tasks.completed_at is null
            and tasks.archived_at is null
            and deleted.record_id is null
            and tasks.due_date < cast({{ vitally.as_of() }} as date)
            then {{ dbt.datediff("tasks.due_date", "cast(" ~ vitally.as_of() ~ " as date)", "day") }}
    end as days_overdue,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    tasks.source_relation
{{ vitally.added_columns_of("tasks") }}
from {{ ref("stg_vitally__tasks") }} as tasks
{{ vitally.left_join("tasks.account_id", "accounts.account_id", ref("stg_vitally__accounts")) }}
{{ vitally.left_join("tasks.organization_id", "organizations.organization_id", ref("stg_vitally__organizations")) }}
{{ vitally.left_join("tasks.task_category_id", "categories.task_category_id", ref("stg_vitally__task_categories")) }}
{{ vitally.left_join("tasks.assigned_to_id", "assignees.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("tasks.completed_by_id", "finishers.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("tasks.task_id", "projects.task_id") }}
{{ vitally.join_deleted("tasks", "tasks.task_id") }}
