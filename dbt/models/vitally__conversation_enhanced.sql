with accounts as (
    select
        links.source_relation,
        links.conversation_id,
        count(*) as accounts_count,
        min(links.account_id) as an_account_id,
        {{ vitally.list_of("accounts.name") }} as account_names
    from {{ ref("stg_vitally__conversation_accounts") }} as links
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
        links.conversation_id
),

deleted as (
    select * from {{ ref("vitally__deleted_records") }}
    where stream_name = 'conversations'
)

select
    conversations.conversation_id,
    conversations.external_id,
    conversations.external_url,
    conversations.subject,
    conversations.source,
    conversations.status,
    coalesce(conversations.status = 'Open', false) as is_open,
    conversations.rating,
    conversations.created_at,
    conversations.updated_at,
    {{ vitally.counted(
        "accounts.accounts_count", [vitally.links_of_conversations()], "conversations",
        otherwise="accounts.accounts_count"
    ) }} as accounts_count,
    case when accounts.accounts_count = 1 then accounts.an_account_id end as only_account_id,
    accounts.account_names,
    {{ vitally.counted("messages.messages_count", ["messages"], "conversations") }} as messages_count,
    {{ vitally.counted("messages.inbound_messages_count", ["messages.type"], "conversations") }}
        as inbound_messages_count,
    {{ vitally.counted("messages.outbound_messages_count", ["messages.type"], "conversations") }}
        as outbound_messages_count,
    messages.first_message_at,
    messages.last_message_at,
    messages.first_answer_at,
    {{ dbt.datediff("messages.first_inbound_message_at", "messages.first_answer_at", "minute") }}
        as minutes_to_first_answer,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    conversations.source_relation
{{ vitally.added_columns_of("conversations") }}
from {{ ref("stg_vitally__conversations") }} as conversations
left join accounts
    on
        conversations.source_relation = accounts.source_relation
        and conversations.conversation_id = accounts.conversation_id
left join {{ ref("int_vitally__conversation_messages") }} as messages
    on
        conversations.source_relation = messages.source_relation
        and conversations.conversation_id = messages.conversation_id
left join deleted
    on
        conversations.source_relation = deleted.source_relation
        and conversations.conversation_id = deleted.record_id
