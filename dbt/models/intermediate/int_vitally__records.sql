with records as (
    {%- for table, key in vitally.inventoried().items() %}
        select
            source_relation,
            '{{ table }}' as stream_name,
            {{ key }} as record_id,
            created_at
        from {{ ref("stg_vitally__" ~ table) }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
)

select
    stream_name,
    record_id,
    created_at,
    source_relation
from records
