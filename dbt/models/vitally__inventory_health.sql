with ids as (
    select
        runs.source_relation,
        runs.stream_name,
        cast(coalesce(sum(lists.records_count), 0) as {{ vitally.type_of("integer") }}) as listed_count
    from {{ ref("int_vitally__inventory_runs") }} as runs
    left join {{ ref("int_vitally__inventory_lists") }} as lists
        on
            runs.source_relation = lists.source_relation
            and runs.stream_name = lists.stream_name
            and runs.started_at <= lists.listed_at
    where runs.run_number = 1
    group by
        runs.source_relation,
        runs.stream_name
)

select
    runs.stream_name,
    runs.started_at as last_list_at,
    runs.record_count as last_list_count,
    runs.count_before,
    ids.listed_count,
    case
        {# Where there is nothing, an empty list is right. #}
        when runs.is_left_out and not coalesce(runs.record_count + coalesce(runs.count_before, 0) = 0, false)
            then 'short'
        when {{ vitally.is_loss("ids.listed_count", "runs.record_count") }} then 'lost'
        else 'whole'
    end as status,
    runs.source_relation
from {{ ref("int_vitally__inventory_runs") }} as runs
{{ vitally.inner_join("runs.stream_name", "ids.stream_name") }}
where runs.run_number = 1
