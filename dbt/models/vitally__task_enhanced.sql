with projects as (
    select
        links.source_relation,
        links.task_id,
        {{ vitally.list_of("projects.name") }} as project_names
    from {{ ref("stg_vitally__task_projects") }} as links
    inner join {{ vitally.not_deleted("projects") }} as projects
        on
            links.source_relation = projects.source_relation
            and links.project_id = projects.project_id
    group by
        links.source_relation,
        links.task_id
),

deleted as (
    select * from {{ ref("vitally__deleted_records") }}
    where stream_name = 'tasks'
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
left join {{ ref("stg_vitally__accounts") }} as accounts
    on
        tasks.source_relation = accounts.source_relation
        and tasks.account_id = accounts.account_id
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        tasks.source_relation = organizations.source_relation
        and tasks.organization_id = organizations.organization_id
left join {{ ref("stg_vitally__task_categories") }} as categories
    on
        tasks.source_relation = categories.source_relation
        and tasks.task_category_id = categories.task_category_id
left join {{ ref("stg_vitally__admins") }} as assignees
    on
        tasks.source_relation = assignees.source_relation
        and tasks.assigned_to_id = assignees.admin_id
left join {{ ref("stg_vitally__admins") }} as finishers
    on
        tasks.source_relation = finishers.source_relation
        and tasks.completed_by_id = finishers.admin_id
left join projects
    on
        tasks.source_relation = projects.source_relation
        and tasks.task_id = projects.task_id
left join deleted
    on
        tasks.source_relation = deleted.source_relation
        and tasks.task_id = deleted.record_id
