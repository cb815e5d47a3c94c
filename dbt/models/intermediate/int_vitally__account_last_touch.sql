with touches as (
    select
        source_relation,
        account_id,
        touch_type,
        touched_at,
        row_number() over (
            partition by source_relation, account_id
            order by touched_at desc, touch_type asc
        ) as touch_number
    from {{ ref("int_vitally__account_touches") }}
)

select
    account_id,
    touch_type as last_touch_type,
    touched_at as last_touch_at,
    source_relation
from touches
where touch_number = 1
