with responses as (
    select * from {{ vitally.not_deleted("nps_responses") }} as responses
    where target = 'organization'
),

listed as (
    select * from {{ ref("stg_vitally__organization_nps_responses") }}
),

links as (
    select
        listed.source_relation,
        listed.nps_response_id,
        listed.organization_id,
        'list' as linked_by
    from listed
    union all
    select
        responses.source_relation,
        responses.nps_response_id,
        user_organizations.organization_id,
        'user' as linked_by
    from responses
    inner join {{ ref("stg_vitally__user_organizations") }} as user_organizations
        on
            responses.source_relation = user_organizations.source_relation
            and responses.user_id = user_organizations.user_id
    where not exists (
        select 1 from listed
        where
            listed.source_relation = responses.source_relation
            and listed.nps_response_id = responses.nps_response_id
    )
)

select
    links.organization_id,
    responses.nps_response_id,
    responses.user_id,
    responses.score,
    responses.feedback,
    responses.responded_at,
    links.linked_by,
    count(*) over (partition by responses.source_relation, responses.nps_response_id) as organizations_of_response,
    row_number() over (
        partition by links.source_relation, links.organization_id, responses.user_id
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
        and links.organization_id = deleted.record_id
        and deleted.stream_name = 'organizations'
where deleted.record_id is null
