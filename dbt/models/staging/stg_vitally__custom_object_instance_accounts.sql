with links as (
    {{ vitally.links_of(
        ref("stg_vitally__custom_object_instances"), "custom_object_instance_id", "account_ids", "customers", "account_id"
    ) }}
)

select
    custom_object_instance_id,
    account_id
from links
union
select
    custom_object_instance_id,
    account_id
from {{ ref("stg_vitally__custom_object_instances") }}
where account_id is not null
