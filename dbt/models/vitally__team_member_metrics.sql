with accounts as (
    select
        source_relation,
        csm_id as admin_id,
        count(*) as accounts_count,
        sum(arr) as arr,
        sum(case when is_at_risk then 1 else 0 end) as accounts_at_risk_count,
        round(cast(avg(health_score) as {{ dbt.type_numeric() }}), 2) as average_health_score,
        sum(case when days_until_renewal between 0 and 90 then 1 else 0 end) as renewals_within_90_days_count
    from {{ ref("vitally__account_enhanced") }}
    where
        not is_churned
        and not is_deleted
    group by
        source_relation,
        csm_id
),

assigned_tasks as (
    select
        source_relation,
        assigned_to_id as admin_id,
        sum(case when completed_at is null then 1 else 0 end) as open_tasks_count,
        sum(case when completed_at is null and due_date < cast({{ vitally.as_of() }} as date) then 1 else 0 end)
            as overdue_tasks_count
    from {{ vitally.not_deleted("tasks") }} as tasks
    where archived_at is null
    group by
        source_relation,
        assigned_to_id
),

completed_tasks as (
    select
        source_relation,
        completed_by_id as admin_id,
        count(*) as completed_tasks_count,
        sum(case when cast(completed_at as date) <= due_date then 1 else 0 end) as tasks_completed_in_time_count,
        sum(case when cast(completed_at as date) > due_date then 1 else 0 end) as tasks_completed_late_count,
        {# Redshift's average of integers is an integer. #}
        {%- set days = dbt.datediff("created_at", "completed_at", "day") %}
        {%- set average = "avg(cast(" ~ days ~ " as " ~ dbt.type_numeric() ~ "))" %}
        round(cast({{ average }} as {{ dbt.type_numeric() }}), 1) as average_days_to_complete
    from {{ vitally.not_deleted("tasks") }} as tasks
    where
        archived_at is null
        and completed_at is not null
    group by
        source_relation,
        completed_by_id
),

projects as (
    select
        source_relation,
        owned_by_id as admin_id,
        count(*) as open_projects_count
    from {{ vitally.not_deleted("projects") }} as projects
    where
        archived_at is null
        and actual_completion_date is null
    group by
        source_relation,
        owned_by_id
),

notes as (
    select
        source_relation,
        author_id as admin_id,
        count(*) as notes_count
    from {{ vitally.not_deleted("notes") }} as notes
    where archived_at is null
    group by
        source_relation,
        author_id
)

select
    admins.admin_id,
    admins.name,
    admins.email,
    admins.license_status,
    {{ vitally.counted("accounts.accounts_count", ["accounts.csmId"], "admins") }} as accounts_count,
    {{ vitally.counted("accounts.arr", ["accounts.csmId", "accounts.mrr"], "admins") }} as arr,
    {{ vitally.counted("accounts.accounts_at_risk_count", ["accounts.csmId", vitally.health_of_accounts()], "admins") }}
        as accounts_at_risk_count,
    accounts.average_health_score,
    {{ vitally.counted(
        "accounts.renewals_within_90_days_count", ["accounts.csmId", "accounts.nextRenewalDate"], "admins"
    ) }} as renewals_within_90_days_count,
    {{ vitally.counted("assigned_tasks.open_tasks_count", ["tasks.assignedToId"], "admins") }} as open_tasks_count,
    {{ vitally.counted("assigned_tasks.overdue_tasks_count", ["tasks.assignedToId", "tasks.dueDate"], "admins") }}
        as overdue_tasks_count,
    {{ vitally.counted("completed_tasks.completed_tasks_count", ["tasks.completedById"], "admins") }}
        as completed_tasks_count,
    {{ vitally.counted(
        "completed_tasks.tasks_completed_in_time_count", ["tasks.completedById", "tasks.dueDate"], "admins"
    ) }} as tasks_completed_in_time_count,
    {{ vitally.counted(
        "completed_tasks.tasks_completed_late_count", ["tasks.completedById", "tasks.dueDate"], "admins"
    ) }} as tasks_completed_late_count,
    completed_tasks.average_days_to_complete,
    {{ vitally.counted("projects.open_projects_count", ["projects.ownedByVitallyUserId"], "admins") }}
        as open_projects_count,
    {{ vitally.counted("notes.notes_count", ["notes.authorId"], "admins") }} as notes_count,
    admins.source_relation
from {{ ref("stg_vitally__admins") }} as admins
{{ vitally.left_join("admins.admin_id", "accounts.admin_id") }}
{{ vitally.left_join("admins.admin_id", "assigned_tasks.admin_id") }}
{{ vitally.left_join("admins.admin_id", "completed_tasks.admin_id") }}
{{ vitally.left_join("admins.admin_id", "projects.admin_id") }}
{{ vitally.left_join("admins.admin_id", "notes.admin_id") }}
