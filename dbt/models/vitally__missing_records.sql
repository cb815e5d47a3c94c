{#- What the last list of ids has and the warehouse has not: rows lost with a table, or never loaded. -#}
{%- set told = [] -%}
{%- for table in vitally.inventoried() if var("vitally__using_" ~ table, true) -%}
    {%- if table not in var("vitally__partial_streams") -%} {%- do told.append("'" ~ table ~ "'") -%} {%- endif -%}
{%- endfor -%}
{# With custom_object_streams each custom object has a table of its own. #}
{%- set with_instances = [] -%}
{%- for workspace in vitally.tables_of("custom_object_instances") -%}
    {%- do with_instances.append(vitally.text_literal(workspace)) -%}
{%- endfor -%}
with ends as (
    select
        source_relation,
        stream_name,
        started_at
    from {{ ref("int_vitally__inventory_runs") }}
    where run_number = 1
),

last_seen as (
    {# Without inventory_runs, the last run is the one that saw an id last. #}
    select
        source_relation,
        stream_name,
        max(listed_at) as listed_at
    from {{ ref("stg_vitally__inventory") }}
    group by
        source_relation,
        stream_name
),

both_sides as (
    select
        inventory.source_relation,
        inventory.stream_name,
        inventory.record_id,
        inventory.listed_at,
        0 as is_there
    from {{ ref("stg_vitally__inventory") }} as inventory
    {{ vitally.inner_join("inventory.stream_name", "last_seen.stream_name") }}
    {{ vitally.left_join("inventory.stream_name", "ends.stream_name") }}
    where
        inventory.listed_at >= coalesce(ends.started_at, last_seen.listed_at)
        and inventory.stream_name in ({{ told | join(", ") or "''" }})
        and (
            inventory.stream_name <> 'custom_object_instances'
            or inventory.source_relation in ({{ with_instances | join(", ") or "''" }})
        )
    union all
    select
        source_relation,
        stream_name,
        record_id,
        cast(null as {{ vitally.type_of("timestamp") }}) as listed_at,
        1 as is_there
    from {{ ref("int_vitally__records") }}
)

select
    stream_name,
    record_id,
    max(listed_at) as listed_at,
    source_relation
from both_sides
group by
    source_relation,
    stream_name,
    record_id
having max(is_there) = 0
