with accounts as (
    select
        source_relation,
        organization_id,
        count(*) as accounts_count,
        sum(case when is_churned then 0 else 1 end) as active_accounts_count,
        sum(case when is_at_risk then 1 else 0 end) as accounts_at_risk_count,
        sum(case when is_churned then 0 else arr end) as arr_of_accounts,
        max(last_touch_at) as last_touch_at
    from {{ ref("vitally__account_enhanced") }}
    where
        organization_id is not null
        and not is_deleted
    group by
        source_relation,
        organization_id
),

users as (
    {{ vitally.active_users_of("organization") }}
),

conversations as (
    {{ vitally.conversations_of("organization", "stg_vitally__organization_conversations") }}
)

select
    organizations.organization_id,
    organizations.external_id,
    organizations.name,
    organizations.created_at,
    organizations.updated_at,
    organizations.organization_owner_id,
    owners.name as organization_owner_name,
    organizations.csm_id,
    csms.name as csm_name,
    organizations.account_executive_id,
    executives.name as account_executive_name,
    organizations.mrr,
    organizations.mrr * 12 as arr,
    organizations.next_renewal_at,
    {{ dbt.datediff(vitally.as_of(), "organizations.next_renewal_at", "day") }}
        as days_until_renewal,
    organizations.churned_at,
    {{ vitally.is_past("organizations.churned_at") }} as is_churned,
    organizations.health_score,
    {{ vitally.health_band("organizations.health_score") }} as health_band,
    organizations.nps_score as vitally_nps_score,
    nps.nps,
    case
        when deleted.record_id is null
            then {{ vitally.counted(
                "nps.answers_count",
                ["nps_responses", "organization_nps_responses|users.organizationIds|users.organizations"],
                "organizations"
            ) }}
    end as nps_answers_count,
    {{ vitally.counted("accounts.accounts_count", ["accounts.organizationId"], "organizations") }} as accounts_count,
    {{ vitally.counted("accounts.active_accounts_count", ["accounts.organizationId"], "organizations") }}
        as active_accounts_count,
    {{ vitally.counted(
        "accounts.accounts_at_risk_count", ["accounts.organizationId", vitally.health_of_accounts()], "organizations"
    ) }} as accounts_at_risk_count,
    {{ vitally.counted("accounts.arr_of_accounts", ["accounts.organizationId", "accounts.mrr"], "organizations") }}
        as arr_of_accounts,
    organizations.users_count,
    {{ vitally.counted(
        "users.active_users_count", ["users.organizationIds|users.organizations"], "organizations"
    ) }} as active_users_count,
    {{ vitally.counted("conversations.conversations_count", ["organization_conversations"], "organizations") }}
        as conversations_count,
    organizations.first_seen_at,
    organizations.last_seen_at,
    accounts.last_touch_at as accounts_last_touch_at,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    organizations.source_relation
{{ vitally.added_columns_of("organizations") }}
from {{ ref("stg_vitally__organizations") }} as organizations
{{ vitally.left_join("organizations.organization_owner_id", "owners.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("organizations.csm_id", "csms.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("organizations.account_executive_id", "executives.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("organizations.organization_id", "nps.organization_id", ref("vitally__organization_nps")) }}
{{ vitally.left_join("organizations.organization_id", "accounts.organization_id") }}
{{ vitally.left_join("organizations.organization_id", "users.organization_id") }}
{{ vitally.left_join("organizations.organization_id", "conversations.organization_id") }}
{{ vitally.join_deleted("organizations", "organizations.organization_id") }}
