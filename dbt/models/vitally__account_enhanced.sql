with segments as (
    select
        source_relation,
        account_id,
        count(*) as segments_count,
        {{ vitally.list_of("segment_name") }} as segment_names
    from {{ ref("stg_vitally__account_segments") }}
    group by
        source_relation,
        account_id
),

users as (
    {{ vitally.active_users_of("account") }}
),

conversations as (
    {{ vitally.conversations_of("account", "stg_vitally__conversation_accounts") }}
),

projects as (
    select
        source_relation,
        account_id,
        count(*) as open_projects_count
    from {{ vitally.not_deleted("projects") }} as projects
    where
        archived_at is null
        and actual_completion_date is null
    group by
        source_relation,
        account_id
)

select
    accounts.account_id,
    accounts.external_id,
    accounts.name,
    accounts.created_at,
    accounts.updated_at,
    accounts.organization_id,
    organizations.name as organization_name,
    accounts.account_owner_id,
    owners.name as account_owner_name,
    accounts.csm_id,
    csms.name as csm_name,
    csms.email as csm_email,
    accounts.account_executive_id,
    executives.name as account_executive_name,
    segments.segment_names,
    {{ vitally.counted("segments.segments_count", ["accounts.segments"], "accounts") }} as segments_count,
    accounts.mrr,
    accounts.mrr * 12 as arr,
    accounts.first_paid_at,
    accounts.trial_ends_at,
    accounts.next_renewal_at,
    {{ dbt.datediff(vitally.as_of(), "accounts.next_renewal_at", "day") }}
        as days_until_renewal,
    accounts.churned_at,
    {{ vitally.is_past("accounts.churned_at") }} as is_churned,
    health.health_score,
    health.health_score_as_of,
    {{ vitally.health_band("health.health_score") }} as health_band,
    coalesce(health.health_score < {{ var("vitally__poor_health_below") }}, false)
    and not {{ vitally.is_past("accounts.churned_at") }}
    and deleted.record_id is null as is_at_risk,
    accounts.nps_score as vitally_nps_score,
    nps.nps,
    {# What is deleted is left out of vitally__account_nps, so nothing there does not mean 0. #}
    case
        when deleted.record_id is null
            then {{ vitally.counted(
                "nps.answers_count", ["nps_responses", "account_nps_responses|" ~ vitally.links_of_users()], "accounts"
            ) }}
    end as nps_answers_count,
    nps.last_answered_at as nps_last_answered_at,
    accounts.users_count,
    {{ vitally.counted("users.active_users_count", [vitally.links_of_users()], "accounts") }} as active_users_count,
    {{ vitally.counted(
        "conversations.conversations_count", [vitally.links_of_conversations()], "accounts",
        otherwise="conversations.conversations_count"
    ) }} as conversations_count,
    {{ vitally.counted("tasks.open_tasks_count", ["tasks.accountId"], "accounts") }} as open_tasks_count,
    {{ vitally.counted("tasks.overdue_tasks_count", ["tasks.accountId", "tasks.dueDate"], "accounts") }}
        as overdue_tasks_count,
    {{ vitally.counted("projects.open_projects_count", ["projects.accountId"], "accounts") }} as open_projects_count,
    accounts.first_seen_at,
    accounts.last_seen_at,
    touches.last_touch_at,
    touches.last_touch_type,
    {{ dbt.datediff("touches.last_touch_at", vitally.as_of(), "day") }}
        as days_since_last_touch,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    accounts.source_relation
{{ vitally.added_columns_of("accounts") }}
from {{ ref("stg_vitally__accounts") }} as accounts
{{ vitally.left_join("accounts.organization_id", "organizations.organization_id", ref("stg_vitally__organizations")) }}
{{ vitally.left_join("accounts.account_owner_id", "owners.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("accounts.csm_id", "csms.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("accounts.account_executive_id", "executives.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("accounts.account_id", "health.account_id", ref("int_vitally__account_health")) }}
{{ vitally.left_join("accounts.account_id", "segments.account_id") }}
{{ vitally.left_join("accounts.account_id", "users.account_id") }}
{{ vitally.left_join("accounts.account_id", "conversations.account_id") }}
{{ vitally.left_join("accounts.account_id", "projects.account_id") }}
{{ vitally.left_join("accounts.account_id", "tasks.account_id", ref("int_vitally__account_tasks")) }}
{{ vitally.left_join("accounts.account_id", "nps.account_id", ref("vitally__account_nps")) }}
{{ vitally.left_join("accounts.account_id", "touches.account_id", ref("int_vitally__account_last_touch")) }}
{{ vitally.join_deleted("accounts", "accounts.account_id") }}
