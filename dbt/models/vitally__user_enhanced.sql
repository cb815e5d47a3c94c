with accounts as (
    select
        links.source_relation,
        links.user_id,
        count(*) as accounts_count,
        min(links.account_id) as an_account_id,
        {{ vitally.list_of("accounts.name") }} as account_names
    from {{ ref("stg_vitally__user_accounts") }} as links
    left join {{ ref("stg_vitally__accounts") }} as accounts
        on
            links.source_relation = accounts.source_relation
            and links.account_id = accounts.account_id
    left join {{ ref("vitally__deleted_records") }} as deleted
        on
            links.source_relation = deleted.source_relation
            and links.account_id = deleted.record_id
            and deleted.stream_name = 'accounts'
    where deleted.record_id is null
    group by
        links.source_relation,
        links.user_id
),

organizations as (
    select
        links.source_relation,
        links.user_id,
        count(*) as organizations_count,
        {{ vitally.list_of("organizations.name") }} as organization_names
    from {{ ref("stg_vitally__user_organizations") }} as links
    left join {{ ref("stg_vitally__organizations") }} as organizations
        on
            links.source_relation = organizations.source_relation
            and links.organization_id = organizations.organization_id
    left join {{ ref("vitally__deleted_records") }} as deleted
        on
            links.source_relation = deleted.source_relation
            and links.organization_id = deleted.record_id
            and deleted.stream_name = 'organizations'
    where deleted.record_id is null
    group by
        links.source_relation,
        links.user_id
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
    select
        participants.source_relation,
        participants.user_id,
        count(distinct meetings.meeting_id) as meetings_count,
        max(meetings.start_at) as last_meeting_at
    from {{ ref("stg_vitally__meeting_participants") }} as participants
    inner join {{ vitally.not_deleted("meetings") }} as meetings
        on
            participants.source_relation = meetings.source_relation
            and participants.meeting_id = meetings.meeting_id
    where
        meetings.archived_at is null
        and coalesce(meetings.start_at, cast(meetings.start_date as {{ vitally.type_of("timestamp") }}))
        <= {{ vitally.as_of() }}
    group by
        participants.source_relation,
        participants.user_id
),

deleted as (
    select * from {{ ref("vitally__deleted_records") }}
    where stream_name = 'users'
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
    case when accounts.accounts_count = 1 then accounts.an_account_id end as only_account_id,
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
left join accounts
    on
        users.source_relation = accounts.source_relation
        and users.user_id = accounts.user_id
left join organizations
    on
        users.source_relation = organizations.source_relation
        and users.user_id = organizations.user_id
left join segments
    on
        users.source_relation = segments.source_relation
        and users.user_id = segments.user_id
left join responses
    on
        users.source_relation = responses.source_relation
        and users.user_id = responses.user_id
left join meetings
    on
        users.source_relation = meetings.source_relation
        and users.user_id = meetings.user_id
left join deleted
    on
        users.source_relation = deleted.source_relation
        and users.user_id = deleted.record_id
