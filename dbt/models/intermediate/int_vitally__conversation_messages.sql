{#- The first answer is the first message of the team after the first one of the customer. -#}
with messages as (
    select
        source_relation,
        conversation_id,
        message_id,
        direction,
        sent_at,
        min(case when direction = 'inbound' then sent_at end)
            over (partition by source_relation, conversation_id)
            as first_inbound_at
    from {{ ref("stg_vitally__messages") }}
)

select
    conversation_id,
    count(*) as messages_count,
    sum(case when direction = 'inbound' then 1 else 0 end) as inbound_messages_count,
    sum(case when direction = 'outbound' then 1 else 0 end) as outbound_messages_count,
    min(sent_at) as first_message_at,
    max(sent_at) as last_message_at,
    min(first_inbound_at) as first_inbound_message_at,
    min(case when direction = 'outbound' and sent_at > first_inbound_at then sent_at end) as first_answer_at,
    source_relation
from messages
group by
    source_relation,
    conversation_id
