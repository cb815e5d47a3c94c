{#- The first answer is the first message of the team after the first one of the customer. -#}
with firsts as (
    select
        source_relation,
        conversation_id,
        min(sent_at) as inbound_at
    from {{ ref("stg_vitally__messages") }}
    where direction = 'inbound'
    group by
        source_relation,
        conversation_id
)

select
    messages.conversation_id,
    count(*) as messages_count,
    sum(case when messages.direction = 'inbound' then 1 else 0 end) as inbound_messages_count,
    sum(case when messages.direction = 'outbound' then 1 else 0 end) as outbound_messages_count,
    min(messages.sent_at) as first_message_at,
    max(messages.sent_at) as last_message_at,
    min(firsts.inbound_at) as first_inbound_message_at,
    min(case
        when messages.direction = 'outbound' and messages.sent_at > firsts.inbound_at then messages.sent_at
    end) as first_answer_at,
    messages.source_relation
from {{ ref("stg_vitally__messages") }} as messages
{{ vitally.left_join("messages.conversation_id", "firsts.conversation_id") }}
group by
    messages.source_relation,
    messages.conversation_id
