{{
    config(
        materialized="incremental",
        unique_key=(
            ["source_relation", "account_id", "observed_on"] if var("vitally_sources", none) else "account_health_id"
        ),
        on_schema_change="append_new_columns",
        full_refresh=false,
        post_hook="{{ vitally.name_workspace(this) }}"
    )
}}
{#-
    Vitally keeps no history: this model keeps one, with a row for each day on which it is run. A breakdown
    that was read after the row of its day was made is merged into that. Rows that were made before there was a
    column for their workspace are the first one's.
-#}
{%- set known = {
    "health_score": "number",
    "health_score_as_of": "timestamp",
    "mrr": "number",
    "is_churned": "boolean",
    "breakdown": "json",
    "breakdown_at": "timestamp",
    "organization_id": "text",
    "csm_id": "text",
    "account_owner_id": "text",
    "next_renewal_at": "timestamp",
    "segments": "json",
    "accounts_read_at": "timestamp",
} -%}
{%- set of_accounts = [
    "mrr", "is_churned", "organization_id", "csm_id", "account_owner_id", "next_renewal_at", "segments",
    "accounts_read_at",
] -%}
{%- set first_workspace = vitally.text_literal(vitally.workspaces()[0]["name"]) -%}
{%- set made = vitally.columns_of(this) if is_incremental() else {} -%}
{%- set kept = [] -%}
{%- for name, type in known.items() -%}
    {%- set none_of_it = "cast(null as " ~ vitally.type_of(type) ~ ") as " ~ name -%}
    {%- do kept.append(name if vitally.spelled_alike(name) in made else none_of_it) -%}
{%- endfor -%}
{%- if var("vitally_sources", none) and "sourcerelation" in made -%}
    {%- do kept.append("coalesce(source_relation, " ~ first_workspace ~ ") as source_relation") -%}
{%- else -%}
    {%- do kept.append("cast(" ~ first_workspace ~ " as " ~ vitally.type_of("text") ~ ") as source_relation") -%}
{%- endif -%}
with reads as (
    select
        source_relation,
        max(started_at) as read_at
    from {{ ref("stg_vitally__vitally_sync_runs") }}
    where
        stream_name = 'accounts'
        and started_at <= {{ vitally.as_of() }}
    group by source_relation
),

stored as (
    select
        source_relation,
        max(loaded_at) as stored_at
    from {{ ref("stg_vitally__accounts") }}
    group by source_relation
),

today as (
    select
        accounts.source_relation,
        accounts.account_id,
        cast({{ vitally.as_of() }} as date) as observed_on,
        health.health_score,
        health.health_score_as_of,
        accounts.mrr,
        {{ vitally.is_past("accounts.churned_at") }} as is_churned,
        accounts.organization_id,
        accounts.csm_id,
        accounts.account_owner_id,
        accounts.next_renewal_at,
        accounts.segments,
        coalesce(reads.read_at, stored.stored_at) as accounts_read_at
    from {{ vitally.not_deleted("accounts") }} as accounts
    {{ vitally.inner_join("accounts.account_id", "health.account_id", ref("int_vitally__account_health")) }}
    inner join stored on accounts.source_relation = stored.source_relation
    left join reads on accounts.source_relation = reads.source_relation
),

breakdowns as (
    select
        source_relation,
        account_id,
        observed_on,
        coalesce(observed_at, cast(observed_on as {{ vitally.type_of("timestamp") }})) as observed_at,
        health_score,
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
        today.source_relation,
        today.account_id,
        today.observed_on,
        today.health_score,
        today.health_score_as_of,
        {%- for name in of_accounts %}
            today.{{ name }},
        {%- endfor %}
        coalesce(breakdowns.breakdown, kept.breakdown) as breakdown,
        coalesce(breakdowns.observed_at, kept.breakdown_at) as breakdown_at
    from today
    left join breakdowns
        on
            today.source_relation = breakdowns.source_relation
            and today.account_id = breakdowns.account_id
            and today.observed_on = breakdowns.observed_on
    left join kept
        on
            today.source_relation = kept.source_relation
            and today.account_id = kept.account_id
            and today.observed_on = kept.observed_on
    union all
    select
        breakdowns.source_relation,
        breakdowns.account_id,
        breakdowns.observed_on,
        coalesce(breakdowns.health_score, kept.health_score) as health_score,
        case
            when breakdowns.health_score is null then kept.health_score_as_of
            else breakdowns.observed_at
        end as health_score_as_of,
        {%- for name in of_accounts %}
            kept.{{ name }},
        {%- endfor %}
        breakdowns.breakdown,
        breakdowns.observed_at as breakdown_at
    from breakdowns
    left join today
        on
            breakdowns.source_relation = today.source_relation
            and breakdowns.account_id = today.account_id
            and breakdowns.observed_on = today.observed_on
    left join kept
        on
            breakdowns.source_relation = kept.source_relation
            and breakdowns.account_id = kept.account_id
            and breakdowns.observed_on = kept.observed_on
    where
        today.account_id is null
        and coalesce(kept.breakdown_at < breakdowns.observed_at, true)
)

select
    {{ "source_relation || ' ' || " if var("vitally_sources", none) -}}
    account_id || ' ' || {{ vitally.day_text("observed_on") }} as account_health_id,
    account_id,
    observed_on,
    health_score,
    health_score_as_of,
    {{ vitally.health_band("health_score") }} as health_band,
    mrr,
    is_churned,
    breakdown,
    breakdown_at,
    organization_id,
    csm_id,
    account_owner_id,
    next_renewal_at,
    segments,
    accounts_read_at,
    source_relation
from days
