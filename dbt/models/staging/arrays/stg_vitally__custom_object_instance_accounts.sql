with from_arrays as (
    {{ vitally.links_of(
        ref("stg_vitally__custom_object_instances"), "custom_object_instance_id", "account_id",
        "account_ids", "customers"
    ) }}
),

links as (
    select
        source_relation,
        custom_object_instance_id,
        account_id
    from from_arrays
    union all
    select
        source_relation,
        custom_object_instance_id,
        account_id
    from {{ ref("stg_vitally__custom_object_instances") }}
    where account_id is not null
)

select distinct
    custom_object_instance_id,
    account_id,
    source_relation
from links
