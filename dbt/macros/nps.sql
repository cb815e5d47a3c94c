{#-
    The NPS responses about accounts, or about organizations, with these. A response names only its user, so
    the list of an owner counts where it has the response, and else what the user belongs to. `about` tells
    which responses are meant: one about an organization is not one about its accounts.
-#}
{% macro nps_responses_of(owner, about) -%}
with responses as (
    select * from {{ vitally.not_deleted("nps_responses") }} as responses
    where {{ about }}
),

listed as (
    select * from {{ ref("stg_vitally__" ~ owner ~ "_nps_responses") }}
),

links as (
    select
        source_relation,
        nps_response_id,
        {{ owner }}_id,
        'list' as linked_by
    from listed
    union all
    select
        responses.source_relation,
        responses.nps_response_id,
        owners.{{ owner }}_id,
        'user' as linked_by
    from responses
    {{ vitally.inner_join("responses.user_id", "owners.user_id", ref("stg_vitally__user_" ~ owner ~ "s")) }}
    where not exists (
        select 1 from listed
        where
            listed.source_relation = responses.source_relation
            and listed.nps_response_id = responses.nps_response_id
    )
)

select
    links.{{ owner }}_id,
    responses.nps_response_id,
    responses.user_id,
    responses.score,
    responses.feedback,
    responses.responded_at,
    links.linked_by,
    count(*) over (partition by responses.source_relation, responses.nps_response_id) as {{ owner }}s_of_response,
    row_number() over (
        partition by links.source_relation, links.{{ owner }}_id, responses.user_id
        order by
            case when responses.score is not null then 0 else 1 end asc,
            responses.responded_at desc nulls last,
            responses.nps_response_id asc
    ) = 1 as is_latest_of_user,
    links.source_relation
from links
{{ vitally.inner_join("links.nps_response_id", "responses.nps_response_id") }}
{{ vitally.join_deleted(owner ~ "s", "links." ~ owner ~ "_id") }}
where deleted.record_id is null
{%- endmacro %}


{#-
    The NPS of what answers are about, from -100 to 100: the share of promoters (9 and 10) less that of
    detractors (0 to 6), over all answers and over the latest answer of each user.
-#}
{% macro nps_of(owner) %}
{%- set promoter = "case when score >= 9 then 1 when score <= 6 then -1 when score is not null then 0 end" -%}
with responses as (
    select
        source_relation,
        {{ owner }}_id,
        score,
        responded_at,
        {{ promoter }} as vote,
        case when is_latest_of_user then {{ promoter }} end as latest_vote,
        case when {{ owner }}s_of_response > 1 then 1 else 0 end as is_shared
    from {{ ref("int_vitally__" ~ owner ~ "_nps_responses") }}
)

select
    responses.{{ owner }}_id,
    owners.name as {{ owner }}_name,
    count(*) as responses_count,
    count(responses.vote) as answers_count,
    sum(case when responses.vote = 1 then 1 else 0 end) as promoters_count,
    sum(case when responses.vote = 0 then 1 else 0 end) as passives_count,
    sum(case when responses.vote = -1 then 1 else 0 end) as detractors_count,
    sum(responses.is_shared) as shared_responses_count,
    round(cast(avg(responses.score) as {{ dbt.type_numeric() }}), 2) as average_score,
    {{ vitally.percent("sum(responses.vote)", "count(responses.vote)") }} as nps,
    {{ vitally.percent("sum(responses.latest_vote)", "count(responses.latest_vote)") }} as nps_of_latest_answers,
    max(case when responses.vote is not null then responses.responded_at end) as last_answered_at,
    responses.source_relation
from responses
{{ vitally.left_join("responses." ~ owner ~ "_id", "owners." ~ owner ~ "_id", ref("stg_vitally__" ~ owner ~ "s")) }}
group by
    responses.source_relation,
    responses.{{ owner }}_id,
    owners.name
{% endmacro %}
