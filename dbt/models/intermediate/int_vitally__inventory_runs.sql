{#-
    Which lists of ids prove anything. An answer that is empty or cut is a list that came to its end, too,
    so one that lost too much is left out, and so are those after it while they are no longer: ten of them,
    as some day so many may really have been deleted.
-#}
with records as (
    select
        source_relation,
        stream_name,
        count(*) as record_count
    from {{ ref("int_vitally__records") }}
    group by
        source_relation,
        stream_name
),

runs as (
    select
        runs.source_relation,
        runs.stream_name,
        runs.started_at,
        runs.record_count,
        runs.is_suspect,
        {# Before the first list, the warehouse tells how many there should be. #}
        coalesce(
            lag(runs.record_count) over (
                partition by runs.source_relation, runs.stream_name
                order by runs.started_at
            ),
            runs.count_before,
            records.record_count
        ) as count_before
    from {{ ref("stg_vitally__inventory_runs") }} as runs
    {{ vitally.left_join("runs.stream_name", "records.stream_name") }}
),

compared as (
    select
        source_relation,
        stream_name,
        started_at,
        record_count,
        is_suspect,
        coalesce(
            max(case when {{ vitally.is_loss("record_count", "count_before") }} then count_before end) over (
                partition by source_relation, stream_name
                order by started_at
                rows between 9 preceding and current row
            ),
            count_before
        ) as count_before
    from runs
),

judged as (
    select
        source_relation,
        stream_name,
        started_at,
        record_count,
        count_before,
        coalesce(is_suspect, false)
        or coalesce(record_count = 0, false)
        or {{ vitally.is_loss("record_count", "count_before") }} as is_left_out
    from compared
)

select
    stream_name,
    started_at,
    record_count,
    count_before,
    is_left_out,
    row_number() over (
        partition by source_relation, stream_name
        order by started_at desc
    ) as run_number,
    case
        when not is_left_out
            then row_number() over (
                partition by source_relation, stream_name, is_left_out
                order by started_at desc
            )
    end as proof_number,
    source_relation
from judged
