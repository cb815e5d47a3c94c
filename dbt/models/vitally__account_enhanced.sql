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
    select
        links.source_relation,
        links.account_id,
        sum(case when {{ vitally.is_past("users.deactivated_at") }} then 0 else 1 end) as active_users_count
    from {{ ref("stg_vitally__user_accounts") }} as links
    inner join {{ vitally.not_deleted("users") }} as users
        on
            links.source_relation = users.source_relation
            and links.user_id = users.user_id
    group by
        links.source_relation,
        links.account_id
),

conversations as (
    select
        links.source_relation,
        links.account_id,
        count(*) as conversations_count
    from {{ ref("stg_vitally__conversation_accounts") }} as links
    left join {{ ref("vitally__deleted_records") }} as deleted
        on
            links.source_relation = deleted.source_relation
            and links.conversation_id = deleted.record_id
            and deleted.stream_name = 'conversations'
    where deleted.record_id is null
    group by
        links.source_relation,
        links.account_id
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
),

deleted as (
    select * from {{ ref("vitally__deleted_records") }}
    where stream_name = 'accounts'
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
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        accounts.source_relation = organizations.source_relation
        and accounts.organization_id = organizations.organization_id
left join {{ ref("stg_vitally__admins") }} as owners
    on
        accounts.source_relation = owners.source_relation
        and accounts.account_owner_id = owners.admin_id
left join {{ ref("stg_vitally__admins") }} as csms
    on
        accounts.source_relation = csms.source_relation
        and accounts.csm_id = csms.admin_id
left join {{ ref("stg_vitally__admins") }} as executives
    on
        accounts.source_relation = executives.source_relation
        and accounts.account_executive_id = executives.admin_id
left join {{ ref("int_vitally__account_health") }} as health
    on
        accounts.source_relation = health.source_relation
        and accounts.account_id = health.account_id
left join segments
    on
        accounts.source_relation = segments.source_relation
        and accounts.account_id = segments.account_id
left join users
    on
        accounts.source_relation = users.source_relation
        and accounts.account_id = users.account_id
left join conversations
    on
        accounts.source_relation = conversations.source_relation
        and accounts.account_id = conversations.account_id
left join projects
    on
        accounts.source_relation = projects.source_relation
        and accounts.account_id = projects.account_id
left join {{ ref("int_vitally__account_tasks") }} as tasks
    on
        accounts.source_relation = tasks.source_relation
        and accounts.account_id = tasks.account_id
left join {{ ref("vitally__account_nps") }} as nps
    on
        accounts.source_relation = nps.source_relation
        and accounts.account_id = nps.account_id
left join {{ ref("int_vitally__account_last_touch") }} as touches
    on
        accounts.source_relation = touches.source_relation
        and accounts.account_id = touches.account_id
left join deleted
    on
        accounts.source_relation = deleted.source_relation
        and accounts.account_id = deleted.record_id
