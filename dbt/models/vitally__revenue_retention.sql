{#-
    What became of the revenue of the accounts that paid at the end of a month. The end of a month is the last
    day on which dbt has read accounts, and has to be at most vitally__history_gap_days before its real end:
    a month without such a day has no row, so that what nobody saw is not called churn.
-#}
{%- set start = "sum(case when ending_mrr is not null then starting_mrr end)" -%}
with days as (
    select distinct
        source_relation,
        observed_on,
        cast({{ dbt.date_trunc("month", "observed_on") }} as date) as revenue_month
    from {{ ref("vitally__account_health_daily") }}
    where is_churned is not null
),

months as (
    select
        source_relation,
        revenue_month,
        max(observed_on) as last_day
    from days
    group by
        source_relation,
        revenue_month
    having
        {{ dbt.datediff("max(observed_on)", dbt.dateadd("month", 1, "revenue_month"), "day") }}
        <= {{ var("vitally__history_gap_days") + 1 }}
        or revenue_month = cast({{ dbt.date_trunc("month", vitally.as_of()) }} as date)
),

month_ends as (
    select
        daily.source_relation,
        daily.account_id,
        months.revenue_month,
        daily.observed_on,
        daily.segments,
        case when daily.is_churned then 0 else daily.mrr end as mrr
    from {{ ref("vitally__account_health_daily") }} as daily
    {{ vitally.inner_join("daily.observed_on", "months.last_day") }}
    where daily.is_churned is not null
),

spans as (
    select
        starts.source_relation,
        starts.revenue_month as start_month,
        starts.last_day as started_on,
        ends.revenue_month,
        ends.last_day as observed_on,
        {{ dbt.datediff("starts.revenue_month", "ends.revenue_month", "month") }}
            as months
    from months as starts
    inner join months as ends on starts.source_relation = ends.source_relation
),

cohorts as (
    select
        spans.source_relation,
        spans.revenue_month,
        spans.months,
        spans.started_on,
        spans.observed_on,
        starts.account_id,
        starts.segments,
        starts.mrr as starting_mrr,
        {#- An account that is gone pays nothing; one whose MRR is empty may. #}
        case when ends.account_id is null then 0 else ends.mrr end as ending_mrr
    from spans
    {{ vitally.inner_join("spans.start_month", "starts.revenue_month", "month_ends") }}
    left join month_ends as ends
        on
            starts.source_relation = ends.source_relation
            and starts.account_id = ends.account_id
            and spans.revenue_month = ends.revenue_month
    where
        starts.mrr > 0
        and spans.months in (1, 3, 12)
),

segmented as (
    select
        source_relation,
        revenue_month,
        months,
        started_on,
        observed_on,
        starting_mrr,
        ending_mrr,
        cast(null as {{ vitally.type_of("text") }}) as segment_id,
        cast(null as {{ vitally.type_of("text") }}) as segment_name
    from cohorts
    union all
    select
        source_relation,
        revenue_month,
        months,
        started_on,
        observed_on,
        starting_mrr,
        ending_mrr,
        {{ vitally.json_text(vitally.json_member("item", "id")) }} as segment_id,
        {{ vitally.json_text(vitally.json_member("item", "name")) }} as segment_name
    from (
        {{ vitally.elements_of(
            "cohorts",
            ["source_relation", "revenue_month", "months", "started_on", "observed_on", "starting_mrr", "ending_mrr"],
            "segments"
        ) }}
    ) as elements
)

select
    revenue_month,
    months,
    segment_id,
    max(segment_name) as segment_name,
    started_on,
    observed_on,
    count(ending_mrr) as accounts_count,
    sum(case when ending_mrr is null then 1 else 0 end) as accounts_without_mrr_count,
    sum(case when ending_mrr = 0 then 1 else 0 end) as churned_accounts_count,
    {{ start }} as starting_mrr,
    sum(case when ending_mrr > starting_mrr then ending_mrr - starting_mrr else 0 end) as expansion_mrr,
    sum(case when ending_mrr < starting_mrr and ending_mrr > 0 then starting_mrr - ending_mrr else 0 end)
        as contraction_mrr,
    sum(case when ending_mrr = 0 then starting_mrr else 0 end) as churned_mrr,
    sum(ending_mrr) as ending_mrr,
    {{ vitally.percent("sum(ending_mrr)", start) }} as net_revenue_retention,
    {{ vitally.percent("sum(case when ending_mrr > starting_mrr then starting_mrr else ending_mrr end)", start) }}
        as gross_revenue_retention,
    source_relation
from segmented
group by
    source_relation,
    revenue_month,
    months,
    segment_id,
    started_on,
    observed_on
