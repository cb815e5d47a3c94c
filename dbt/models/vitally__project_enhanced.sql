with tasks as (
    select
        links.source_relation,
        links.project_id,
        count(*) as tasks_count,
        sum(case when tasks.is_open then 1 else 0 end) as open_tasks_count,
        sum(case when tasks.is_overdue then 1 else 0 end) as overdue_tasks_count
    from {{ ref("stg_vitally__task_projects") }} as links
    {{ vitally.inner_join("links.task_id", "tasks.task_id", ref("vitally__task_enhanced")) }}
    where
        not tasks.is_archived
        and not tasks.is_deleted
    group by
        links.source_relation,
        links.project_id
)

select
    projects.project_id,
    projects.name,
    projects.created_at,
    projects.updated_at,
    projects.archived_at,
    projects.archived_at is not null as is_archived,
    projects.account_id,
    accounts.name as account_name,
    projects.organization_id,
    organizations.name as organization_name,
    projects.owned_by_id,
    owners.name as owned_by_name,
    categories.name as project_category_name,
    templates.name as project_template_name,
    projects.project_status_id,
    case
        when projects.actual_completion_date is not null then 'completed'
        when projects.target_completion_date < cast({{ vitally.as_of() }} as date) then 'late'
        when projects.actual_start_date is not null then 'in progress'
        else 'not started'
    end as status,
    projects.target_start_date,
    projects.target_completion_date,
    projects.actual_start_date,
    projects.actual_completion_date,
    projects.duration_in_days,
    {{ vitally.counted("tasks.tasks_count", ["tasks.projectIds|tasks.projects"], "projects") }} as tasks_count,
    {{ vitally.counted("tasks.open_tasks_count", ["tasks.projectIds|tasks.projects"], "projects") }}
        as open_tasks_count,
    {{ vitally.counted("tasks.overdue_tasks_count", ["tasks.projectIds|tasks.projects", "tasks.dueDate"], "projects") }}
        as overdue_tasks_count,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    projects.source_relation
{{ vitally.added_columns_of("projects") }}
from {{ ref("stg_vitally__projects") }} as projects
{{ vitally.left_join("projects.account_id", "accounts.account_id", ref("stg_vitally__accounts")) }}
{{ vitally.left_join("projects.organization_id", "organizations.organization_id", ref("stg_vitally__organizations")) }}
{{ vitally.left_join("projects.owned_by_id", "owners.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join(
    "projects.project_category_id", "categories.project_category_id", ref("stg_vitally__project_categories")
) }}
{{ vitally.left_join(
    "projects.project_template_id", "templates.project_template_id", ref("stg_vitally__project_templates")
) }}
{{ vitally.left_join("projects.project_id", "tasks.project_id") }}
{{ vitally.join_deleted("projects", "projects.project_id") }}
