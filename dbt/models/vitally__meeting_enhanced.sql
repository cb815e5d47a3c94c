with accounts as (
    {{ vitally.linked("meeting_accounts", "meeting_id", "accounts", "account") }}
),

participants as (
    select
        source_relation,
        meeting_id,
        count(*) as participants_count,
        sum(case when admin_id is not null then 1 else 0 end) as team_participants_count,
        sum(case when user_id is not null then 1 else 0 end) as user_participants_count
    from {{ ref("stg_vitally__meeting_participants") }}
    group by
        source_relation,
        meeting_id
)

select
    meetings.meeting_id,
    meetings.external_id,
    meetings.title,
    meetings.source,
    meetings.created_at,
    meetings.updated_at,
    meetings.archived_at,
    meetings.archived_at is not null as is_archived,
    coalesce(meetings.start_at, cast(meetings.start_date as {{ vitally.type_of("timestamp") }})) as starts_at,
    coalesce(meetings.end_at, cast(meetings.end_date as {{ vitally.type_of("timestamp") }})) as ends_at,
    meetings.start_at is null and meetings.start_date is not null as is_whole_day,
    case
        when meetings.start_at is not null then {{ dbt.datediff("meetings.start_at", "meetings.end_at", "minute") }}
    end as duration_in_minutes,
    meetings.external_status,
    coalesce(meetings.external_status = 'cancelled', false) as is_cancelled,
    {{ vitally.is_past(
        "coalesce(meetings.start_at, cast(meetings.start_date as " ~ vitally.type_of("timestamp") ~ "))"
    ) }}
    and coalesce(meetings.external_status, '') <> 'cancelled'
    and meetings.archived_at is null
    and deleted.record_id is null as has_taken_place,
    meetings.recording_url,
    meetings.summary,
    meetings.risk_assessment,
    {{ vitally.counted("accounts.accounts_count", ["meetings.accountIds|meetings.accounts"], "meetings") }}
        as accounts_count,
    case when accounts.accounts_count = 1 then accounts.account_id end as only_account_id,
    accounts.account_names,
    {{ vitally.counted("participants.participants_count", ["meetings.participants"], "meetings") }}
        as participants_count,
    {{ vitally.counted("participants.team_participants_count", ["meetings.participants"], "meetings") }}
        as team_participants_count,
    {{ vitally.counted("participants.user_participants_count", ["meetings.participants"], "meetings") }}
        as user_participants_count,
    {{ vitally.counted(vitally.json_length("meetings.notes"), ["meetings.notes"], "meetings") }} as notes_count,
    {{ vitally.counted(vitally.json_length("meetings.tasks"), ["meetings.tasks"], "meetings") }} as tasks_count,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    meetings.source_relation
{{ vitally.added_columns_of("meetings") }}
from {{ ref("stg_vitally__meetings") }} as meetings
{{ vitally.left_join("meetings.meeting_id", "accounts.meeting_id") }}
{{ vitally.left_join("meetings.meeting_id", "participants.meeting_id") }}
{{ vitally.join_deleted("meetings", "meetings.meeting_id") }}
