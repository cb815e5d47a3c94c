{#-
    A record is gone when the last two lists of ids that prove anything lack it, and it was there before
    them. What was listed is set beside what the warehouse has by a union and not by a join, which some
    databases make of the stream alone.
-#}
with listed as (
    select * from {{ ref("stg_vitally__inventory") }}
),

{# A few rows for each list, so that no run is joined with all of its ids. #}
listed_counts as (
    select
        source_relation,
        stream_name,
        listed_at,
        count(*) as records_count
    from listed
    group by
        source_relation,
        stream_name,
        listed_at
),

proofs as (
    select
        runs.source_relation,
        runs.stream_name,
        runs.started_at,
        runs.record_count
    from {{ ref("int_vitally__inventory_runs") }} as runs
    left join listed_counts
        on
            runs.source_relation = listed_counts.source_relation
            and runs.stream_name = listed_counts.stream_name
            and runs.started_at <= listed_counts.listed_at
    where runs.proof_number = 2
    group by
        runs.source_relation,
        runs.stream_name,
        runs.started_at,
        runs.record_count
    {# The ids may have been lost after they were listed, with their table. #}
    having not {{ vitally.is_loss("coalesce(sum(listed_counts.records_count), 0)", "runs.record_count") }}
),

both_sides as (
    select
        source_relation,
        stream_name,
        record_id,
        created_at,
        cast(null as {{ vitally.type_of("timestamp") }}) as listed_at
    from {{ ref("int_vitally__records") }}
    union all
    select
        source_relation,
        stream_name,
        record_id,
        cast(null as {{ vitally.type_of("timestamp") }}) as created_at,
        listed_at
    from listed
),

records as (
    select
        source_relation,
        stream_name,
        record_id,
        max(created_at) as created_at,
        max(listed_at) as listed_at
    from both_sides
    group by
        source_relation,
        stream_name,
        record_id
),

gone as (
    select
        records.source_relation,
        records.stream_name,
        records.record_id,
        records.created_at,
        coalesce(records.listed_at, records.created_at) as known_at
    from records
    inner join proofs
        on
            records.source_relation = proofs.source_relation
            and records.stream_name = proofs.stream_name
            and records.created_at < proofs.started_at
            and coalesce(records.listed_at < proofs.started_at, true)
)

select
    gone.stream_name,
    gone.record_id,
    gone.created_at,
    min(runs.started_at) as missing_at,
    gone.source_relation
from gone
inner join {{ ref("int_vitally__inventory_runs") }} as runs
    on
        gone.source_relation = runs.source_relation
        and gone.stream_name = runs.stream_name
        and gone.known_at < runs.started_at
where not runs.is_left_out
group by
    gone.source_relation,
    gone.stream_name,
    gone.record_id,
    gone.created_at
