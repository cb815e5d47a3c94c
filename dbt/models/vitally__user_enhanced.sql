with accounts as (
    {{ vitally.linked("user_accounts", "user_id", "accounts", "account") }}
),

organizations as (
    {{ vitally.linked("user_organizations", "user_id", "organizations", "organization") }}
),

segments as (
    select
        source_relation,
        user_id,
        {{ vitally.list_of("segment_name") }} as segment_names
    from {{ ref("stg_vitally__user_segments") }}
    group by
        source_relation,
        user_id
),

responses as (
    select
        source_relation,
        user_id,
        count(*) as nps_responses_count,
        count(score) as nps_answers_count
    from {{ vitally.not_deleted("nps_responses") }} as responses
    group by
        source_relation,
        user_id
),

meetings as (
    {%- set start = "coalesce(meetings.start_at, cast(meetings.start_date as " ~ vitally.type_of("timestamp") ~ "))" %}
    select
        participants.source_relation,
        participants.user_id,
        count(distinct meetings.meeting_id) as meetings_count,
        max({{ start }}) as last_meeting_at
    from {{ ref("stg_vitally__meeting_participants") }} as participants
    {{ vitally.inner_join("participants.meeting_id", "meetings.meeting_id", vitally.not_deleted("meetings")) }}
    where
        meetings.archived_at is null
        and {{ start }} <= {{ vitally.as_of() }}
    group by
        participants.source_relation,
        participants.user_id
)

select
    users.user_id,
    users.external_id,
    users.name,
    users.email,
    users.created_at,
    users.updated_at,
    users.joined_at,
    users.first_known_at,
    users.last_seen_at,
    users.last_inbound_message_at,
    users.last_outbound_message_at,
    users.deactivated_at,
    not {{ vitally.is_past("users.deactivated_at") }}
    and deleted.record_id is null as is_active,
    users.is_unsubscribed_from_conversations,
    users.is_permanently_bounced,
    {{ vitally.counted("accounts.accounts_count", [vitally.links_of_users()], "users") }} as accounts_count,
    case when accounts.accounts_count = 1 then accounts.account_id end as only_account_id,
    accounts.account_names,
    {{ vitally.counted(
        "organizations.organizations_count", ["users.organizationIds|users.organizations"], "users"
    ) }} as organizations_count,
    organizations.organization_names,
    segments.segment_names,
    users.nps_last_score,
    users.nps_last_feedback,
    users.nps_last_responded_at,
    {{ vitally.counted("responses.nps_responses_count", ["nps_responses.userId"], "users") }} as nps_responses_count,
    {{ vitally.counted("responses.nps_answers_count", ["nps_responses.userId"], "users") }} as nps_answers_count,
    {{ vitally.counted("meetings.meetings_count", ["meetings.participants"], "users") }} as meetings_count,
    meetings.last_meeting_at,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    users.source_relation
{{ vitally.added_columns_of("users") }}
from {{ ref("stg_vitally__users") }} as users
{{ vitally.left_join("users.user_id", "accounts.user_id") }}
{{ vitally.left_join("users.user_id", "organizations.user_id") }}
{{ vitally.left_join("users.user_id", "segments.user_id") }}
{{ vitally.left_join("users.user_id", "responses.user_id") }}
{{ vitally.left_join("users.user_id", "meetings.user_id") }}
{{ vitally.join_deleted("users", "users.user_id") }}
