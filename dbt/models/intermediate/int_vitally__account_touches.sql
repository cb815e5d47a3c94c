{#- What counts as contact with a customer; planned meetings and cancelled ones do not. -#}
with messages as (
    select
        source_relation,
        account_id,
        'message received' as touch_type,
        last_inbound_message_at as touched_at
    from {{ ref("stg_vitally__accounts") }}
    union all
    select
        source_relation,
        account_id,
        'message sent' as touch_type,
        last_outbound_message_at as touched_at
    from {{ ref("stg_vitally__accounts") }}
    union all
    select
        links.source_relation,
        links.account_id,
        case when messages.direction = 'outbound' then 'message sent' else 'message received' end as touch_type,
        messages.sent_at as touched_at
    from {{ ref("stg_vitally__messages") }} as messages
    {{ vitally.inner_join(
        "messages.conversation_id", "links.conversation_id", ref("stg_vitally__conversation_accounts")
    ) }}
    {{ vitally.join_deleted("conversations", "messages.conversation_id") }}
    where deleted.record_id is null
),

notes as (
    select
        source_relation,
        account_id,
        'note' as touch_type,
        coalesce(noted_at, created_at) as touched_at
    from {{ vitally.not_deleted("notes") }} as notes
    where archived_at is null
),

meetings as (
    select
        links.source_relation,
        links.account_id,
        'meeting' as touch_type,
        coalesce(meetings.start_at, cast(meetings.start_date as {{ vitally.type_of("timestamp") }})) as touched_at
    from {{ vitally.not_deleted("meetings") }} as meetings
    {{ vitally.inner_join("meetings.meeting_id", "links.meeting_id", ref("stg_vitally__meeting_accounts")) }}
    where
        meetings.archived_at is null
        and coalesce(meetings.external_status, '') <> 'cancelled'
),

touches as (
    select * from messages
    union all
    select * from notes
    union all
    select * from meetings
)

select
    account_id,
    touch_type,
    touched_at,
    source_relation
from touches
where
    account_id is not null
    and touched_at <= {{ vitally.as_of() }}
