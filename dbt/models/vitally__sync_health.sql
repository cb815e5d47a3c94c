with runs as (
    select
        source_relation,
        stream_name,
        started_at,
        records,
        skipped,
        bookmark_before,
        bookmark_after,
        row_number() over (
            partition by source_relation, stream_name
            order by started_at desc
        ) as run_number
    from {{ ref("stg_vitally__vitally_sync_runs") }}
),

streams as (
    select
        source_relation,
        stream_name,
        max(started_at) as last_run_at,
        count(*) as runs_count,
        max(case
            when bookmark_after is null and records > 0 then started_at
            when bookmark_before is null and bookmark_after is not null then started_at
            when bookmark_after > bookmark_before then started_at
        end) as last_news_at
    from runs
    group by
        source_relation,
        stream_name
),

aged as (
    select
        source_relation,
        stream_name,
        runs_count,
        last_run_at,
        last_news_at,
        {{ dbt.datediff("last_run_at", vitally.as_of(), "hour") }}
            as hours_since_last_run,
        {{ dbt.datediff("last_news_at", vitally.as_of(), "day") }}
            as days_since_last_news
    from streams
)

select
    aged.stream_name,
    aged.runs_count,
    aged.last_run_at,
    aged.last_news_at,
    latest.records as last_run_records_count,
    latest.skipped as last_run_skipped_count,
    latest.bookmark_after as bookmark,
    aged.hours_since_last_run,
    case
        when aged.hours_since_last_run >= {{ var("vitally__stuck_after_hours") }} then 'stuck'
        when latest.skipped > 0 and latest.records = 0 then 'stuck'
        when coalesce(aged.days_since_last_news >= {{ var("vitally__quiet_after_days") }}, true) then 'quiet'
        else 'fresh'
    end as status,
    aged.source_relation
from aged
inner join runs as latest
    on
        aged.source_relation = latest.source_relation
        and aged.stream_name = latest.stream_name
        and latest.run_number = 1
