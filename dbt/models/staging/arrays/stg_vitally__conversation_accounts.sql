with from_messages as (
    {{ vitally.links_of(ref("stg_vitally__messages"), "conversation_id", "account_id", "conversation_account_ids") }}
),

from_conversations as (
    {{ vitally.links_of(ref("stg_vitally__conversations"), "conversation_id", "account_id", "account_ids") }}
),

links as (
    select
        source_relation,
        conversation_id,
        account_id
    from {{ ref("stg_vitally__account_conversations") }}
    union all
    select
        source_relation,
        conversation_id,
        account_id
    from from_messages
    union all
    select
        source_relation,
        conversation_id,
        account_id
    from from_conversations
)

select distinct
    conversation_id,
    account_id,
    source_relation
from links
