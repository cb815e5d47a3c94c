with tasks as (
    select
        links.source_relation,
        links.project_id,
        count(*) as tasks_count,
        sum(case when tasks.is_open then 1 else 0 end) as open_tasks_count,
        sum(case when tasks.is_overdue then 1 else 0 end) as overdue_tasks_count
    from {{ ref("stg_vitally__task_projects") }} as links
    inner join {{ ref("vitally__task_enhanced") }} as tasks
        on
            links.source_relation = tasks.source_relation
            and links.task_id = tasks.task_id
    where
        not tasks.is_archived
        and not tasks.is_deleted
    group by
        links.source_relation,
        links.project_id
),

deleted as (
    select * from {{ ref("vitally__deleted_records") }}
    where stream_name = 'projects'
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
left join {{ ref("stg_vitally__accounts") }} as accounts
    on
        projects.source_relation = accounts.source_relation
        and projects.account_id = accounts.account_id
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        projects.source_relation = organizations.source_relation
        and projects.organization_id = organizations.organization_id
left join {{ ref("stg_vitally__admins") }} as owners
    on
        projects.source_relation = owners.source_relation
        and projects.owned_by_id = owners.admin_id
left join {{ ref("stg_vitally__project_categories") }} as categories
    on
        projects.source_relation = categories.source_relation
        and projects.project_category_id = categories.project_category_id
left join {{ ref("stg_vitally__project_templates") }} as templates
    on
        projects.source_relation = templates.source_relation
        and projects.project_template_id = templates.project_template_id
left join tasks
    on
        projects.source_relation = tasks.source_relation
        and projects.project_id = tasks.project_id
left join deleted
    on
        projects.source_relation = deleted.source_relation
        and projects.project_id = deleted.record_id
