{#-
    The NPS of what answers are about, from -100 to 100: the share of promoters (9 and 10) less that of
    detractors (0 to 6), over all answers and over the latest answer of each user.
-#}
{% macro nps_of(owner, responses, owners_of_response) %}
{%- set promoter = "case when score >= 9 then 1 when score <= 6 then -1 when score is not null then 0 end" -%}
with responses as (
    select
        source_relation,
        {{ owner }}_id,
        score,
        responded_at,
        {{ promoter }} as vote,
        case when is_latest_of_user then {{ promoter }} end as latest_vote,
        case when {{ owners_of_response }} > 1 then 1 else 0 end as is_shared
    from {{ ref(responses) }}
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
left join {{ ref("stg_vitally__" ~ owner ~ "s") }} as owners
    on
        responses.source_relation = owners.source_relation
        and responses.{{ owner }}_id = owners.{{ owner }}_id
group by
    responses.source_relation,
    responses.{{ owner }}_id,
    owners.name
{% endmacro %}
