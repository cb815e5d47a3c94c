{#-
    What an account was like 30, 90 and 365 days ago: on that day or, where dbt did not run on it, on the last
    one before that is at most vitally__history_gap_days older. Beyond, it is not known.
-#}
{%- set horizons = [30, 90, 365] -%}
{%- set age = dbt.datediff("daily.observed_on", "cast(" ~ vitally.as_of() ~ " as date)", "day") -%}
with past as (
    {%- for days in horizons %}
        select
            daily.source_relation,
            daily.account_id,
            {{ days }} as days,
            daily.observed_on,
            daily.health_score,
            daily.mrr,
            daily.is_churned
        from {{ ref("vitally__account_health_daily") }} as daily
        where {{ age }} between {{ days }} and {{ days + var("vitally__history_gap_days") }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

numbered as (
    select
        source_relation,
        account_id,
        days,
        observed_on,
        health_score,
        mrr,
        is_churned,
        row_number() over (
            partition by source_relation, account_id, days
            order by
                case when health_score is not null then 0 else 1 end asc,
                observed_on desc
        ) as health_number,
        {#- A day of which only the breakdown was read tells nothing of revenue. #}
        row_number() over (
            partition by source_relation, account_id, days
            order by
                case when is_churned is not null then 0 else 1 end asc,
                observed_on desc
        ) as revenue_number
    from past
),

ago as (
    select
        {%- for days in horizons %}
            {%- set health = "days = " ~ days ~ " and health_number = 1" %}
            {%- set revenue = "days = " ~ days ~ " and revenue_number = 1" %}
            max(case when {{ health }} then health_score end)
                as health_score_{{ days }}_days_ago,
            max(case when {{ health }} and health_score is not null then observed_on end)
                as health_{{ days }}_days_ago_on,
            max(case when {{ revenue }} then mrr end)
                as mrr_{{ days }}_days_ago,
            max(case when {{ revenue }} and is_churned is not null then observed_on end)
                as mrr_{{ days }}_days_ago_on,
        {%- endfor %}
        source_relation,
        account_id
    from numbered
    group by
        source_relation,
        account_id
)

select
    accounts.account_id,
    accounts.name as account_name,
    accounts.csm_id,
    accounts.csm_name,
    accounts.is_churned,
    accounts.health_score,
    accounts.mrr,
    {%- for days in horizons %}
        ago.health_score_{{ days }}_days_ago,
        ago.health_{{ days }}_days_ago_on,
        accounts.health_score - ago.health_score_{{ days }}_days_ago
            as health_change_in_{{ days }}_days,
        ago.mrr_{{ days }}_days_ago,
        ago.mrr_{{ days }}_days_ago_on,
        case when accounts.is_churned then 0 else accounts.mrr end - ago.mrr_{{ days }}_days_ago
            as mrr_change_in_{{ days }}_days,
    {%- endfor %}
    accounts.source_relation
from {{ ref("vitally__account_enhanced") }} as accounts
{{ vitally.left_join("accounts.account_id", "ago.account_id") }}
where not accounts.is_deleted
