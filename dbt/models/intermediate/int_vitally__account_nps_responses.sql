{#- An answer about an organization is not one about its accounts, so only the list of accounts counts. -#}
with responses as (
    select * from {{ vitally.not_deleted("nps_responses") }} as responses
    where target is null or target <> 'organization'
),

listed as (
    select * from {{ ref("stg_vitally__account_nps_responses") }}
),

links as (
    select
        listed.source_relation,
        listed.nps_response_id,
        listed.account_id,
        'list' as linked_by
    from listed
    union all
    select
        responses.source_relation,
        responses.nps_response_id,
        user_accounts.account_id,
        'user' as linked_by
    from responses
    inner join {{ ref("stg_vitally__user_accounts") }} as user_accounts
        on
            responses.source_relation = user_accounts.source_relation
            and responses.user_id = user_accounts.user_id
    where not exists (
        select 1 from listed
        where
            listed.source_relation = responses.source_relation
            and listed.nps_response_id = responses.nps_response_id
    )
)

select
    links.account_id,
    responses.nps_response_id,
    responses.user_id,
    responses.score,
    responses.feedback,
    responses.responded_at,
    links.linked_by,
    count(*) over (partition by responses.source_relation, responses.nps_response_id) as accounts_of_response,
    row_number() over (
        partition by links.source_relation, links.account_id, responses.user_id
        order by
            case when responses.score is not null then 0 else 1 end asc,
            responses.responded_at desc nulls last,
            responses.nps_response_id asc
    ) = 1 as is_latest_of_user,
    links.source_relation
from links
inner join responses
    on
        links.source_relation = responses.source_relation
        and links.nps_response_id = responses.nps_response_id
left join {{ ref("vitally__deleted_records") }} as deleted
    on
        links.source_relation = deleted.source_relation
        and links.account_id = deleted.record_id
        and deleted.stream_name = 'accounts'
where deleted.record_id is null
