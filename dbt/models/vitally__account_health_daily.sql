{{
    config(
        materialized="incremental",
        unique_key="account_health_id",
        incremental_strategy="merge" if target.type in ("bigquery", "snowflake") else "delete+insert",
        on_schema_change="append_new_columns",
        full_refresh=false
    )
}}
{#- Vitally keeps no history of health scores: this model keeps one, with a row for each day it is run. -#}
{%- set overall = [] -%}
{%- for key in ["overall", "overallHealth", "healthScore", "score"] -%}
    {%- set member = vitally.json_member("breakdown", key) -%}
    {%- do overall.append(
        "case when " ~ vitally.json_type(member) ~ " = 'number' then cast("
        ~ vitally.json_text(member) ~ " as " ~ dbt.type_numeric() ~ ") end"
    ) -%}
{%- endfor -%}
with scores as (
    select
        account_id,
        cast({{ vitally.as_of() }} as date) as observed_on,
        health_score,
        mrr,
        churned_at is not null as is_churned
    from {{ ref("stg_vitally__accounts") }}
),

breakdowns as (
    select
        account_id,
        observed_on,
        coalesce(
            {{ overall | join(",\n            ") }}
        ) as health_score,
        breakdown
    from {{ ref("stg_vitally__account_health_scores") }}
),

days as (
    select
        account_id,
        observed_on
    from scores
    union
    select
        account_id,
        observed_on
    from breakdowns
),

observed as (
    select
        days.account_id || ' ' || cast(days.observed_on as {{ dbt.type_string() }}) as account_health_id,
        days.account_id,
        days.observed_on,
        coalesce(scores.health_score, breakdowns.health_score) as health_score,
        scores.mrr,
        scores.is_churned,
        breakdowns.breakdown
    from days
    left join scores
        on
            days.account_id = scores.account_id
            and days.observed_on = scores.observed_on
    left join breakdowns
        on
            days.account_id = breakdowns.account_id
            and days.observed_on = breakdowns.observed_on
)

select
    account_health_id,
    account_id,
    observed_on,
    health_score,
    {{ vitally.health_band("health_score") }} as health_band,
    mrr,
    is_churned,
    breakdown
from observed
{% if is_incremental() %}
where
    observed_on = cast({{ vitally.as_of() }} as date)
    or account_health_id not in (select kept.account_health_id from {{ this }} as kept)
{% endif %}
