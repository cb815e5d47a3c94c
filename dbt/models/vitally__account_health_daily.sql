{{
    config(
        materialized="incremental",
        unique_key="account_health_id",
        on_schema_change="append_new_columns",
        full_refresh=false
    )
}}
{#-
    Vitally keeps no history of health scores: this model keeps one, with a row for each day on which it is
    run. A breakdown that was read after the row of its day was made is merged into that.
-#}
{%- set made = vitally.columns_of(this) if is_incremental() else {} -%}
{%- set kept = [] -%}
{%- for name, type in {
    "health_score": "number",
    "health_score_as_of": "timestamp",
    "mrr": "number",
    "is_churned": "boolean",
    "breakdown": "json",
    "breakdown_at": "timestamp",
}.items() -%}
    {%- set none_of_it = "cast(null as " ~ vitally.type_of(type) ~ ") as " ~ name -%}
    {%- do kept.append(name if vitally.spelled_alike(name) in made else none_of_it) -%}
{%- endfor -%}
with today as (
    select
        accounts.account_id,
        cast({{ vitally.as_of() }} as date) as observed_on,
        health.health_score,
        health.health_score_as_of,
        accounts.mrr,
        {{ vitally.is_past("accounts.churned_at") }} as is_churned
    from {{ vitally.not_deleted("accounts") }} as accounts
    inner join {{ ref("int_vitally__account_health") }} as health on accounts.account_id = health.account_id
),

breakdowns as (
    select
        account_id,
        observed_on,
        coalesce(observed_at, cast(observed_on as {{ vitally.type_of("timestamp") }})) as observed_at,
        {{ vitally.overall_score("breakdown") }} as health_score,
        breakdown
    from {{ ref("stg_vitally__account_health_scores") }}
),

kept as (
    select
        account_id,
        observed_on,
        {{ kept | join(",\n        ") }}
    from {{ this if is_incremental() else "today" }}
    where {{ "1 = 1" if is_incremental() else "1 = 0" }}
),

days as (
    select
        today.account_id,
        today.observed_on,
        today.health_score,
        today.health_score_as_of,
        today.mrr,
        today.is_churned,
        coalesce(breakdowns.breakdown, kept.breakdown) as breakdown,
        coalesce(breakdowns.observed_at, kept.breakdown_at) as breakdown_at
    from today
    left join breakdowns
        on
            today.account_id = breakdowns.account_id
            and today.observed_on = breakdowns.observed_on
    left join kept
        on
            today.account_id = kept.account_id
            and today.observed_on = kept.observed_on
    union all
    select
        breakdowns.account_id,
        breakdowns.observed_on,
        coalesce(breakdowns.health_score, kept.health_score) as health_score,
        case
            when breakdowns.health_score is null then kept.health_score_as_of
            else breakdowns.observed_at
        end as health_score_as_of,
        kept.mrr,
        kept.is_churned,
        breakdowns.breakdown,
        breakdowns.observed_at as breakdown_at
    from breakdowns
    left join today
        on
            breakdowns.account_id = today.account_id
            and breakdowns.observed_on = today.observed_on
    left join kept
        on
            breakdowns.account_id = kept.account_id
            and breakdowns.observed_on = kept.observed_on
    where
        today.account_id is null
        and coalesce(kept.breakdown_at < breakdowns.observed_at, true)
)

select
    account_id || ' ' || {{ vitally.day_text("observed_on") }} as account_health_id,
    account_id,
    observed_on,
    health_score,
    health_score_as_of,
    {{ vitally.health_band("health_score") }} as health_band,
    mrr,
    is_churned,
    breakdown,
    breakdown_at
from days
