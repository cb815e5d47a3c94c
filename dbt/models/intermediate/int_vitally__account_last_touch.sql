{#- The last touch of each type first: to number all touches is to sort as many as there are messages. -#}
with latest as (
    select
        source_relation,
        account_id,
        touch_type,
        max(touched_at) as touched_at
    from {{ ref("int_vitally__account_touches") }}
    group by
        source_relation,
        account_id,
        touch_type
),

numbered as (
    select
        source_relation,
        account_id,
        touch_type,
        touched_at,
        row_number() over (
            partition by source_relation, account_id
            order by touched_at desc, touch_type asc
        ) as touch_number
    from latest
)

select
    account_id,
    touch_type as last_touch_type,
    touched_at as last_touch_at,
    source_relation
from numbered
where touch_number = 1
