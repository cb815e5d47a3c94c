with accounts as (
    {{ vitally.linked("conversation_accounts", "conversation_id", "accounts", "account") }}
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
    case when accounts.accounts_count = 1 then accounts.account_id end as only_account_id,
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
{{ vitally.left_join("conversations.conversation_id", "accounts.conversation_id") }}
{{ vitally.left_join(
    "conversations.conversation_id", "messages.conversation_id", ref("int_vitally__conversation_messages")
) }}
{{ vitally.join_deleted("conversations", "conversations.conversation_id") }}
