with accounts as (
    select
        links.source_relation,
        links.custom_object_instance_id,
        count(*) as accounts_count,
        min(links.account_id) as an_account_id,
        {{ vitally.list_of("accounts.name") }} as account_names
    from {{ ref("stg_vitally__custom_object_instance_accounts") }} as links
    left join {{ ref("stg_vitally__accounts") }} as accounts
        on
            links.source_relation = accounts.source_relation
            and links.account_id = accounts.account_id
    left join {{ ref("vitally__deleted_records") }} as deleted
        on
            links.source_relation = deleted.source_relation
            and links.account_id = deleted.record_id
            and deleted.stream_name = 'accounts'
    where deleted.record_id is null
    group by
        links.source_relation,
        links.custom_object_instance_id
),

deleted as (
    select * from {{ ref("vitally__deleted_records") }}
    where stream_name = 'custom_object_instances'
)

select
    custom_object_instances.custom_object_instance_id,
    custom_object_instances.external_id,
    custom_object_instances.name,
    custom_object_instances.custom_object_id,
    objects.name as custom_object_name,
    objects.label as custom_object_label,
    custom_object_instances.created_at,
    custom_object_instances.updated_at,
    custom_object_instances.archived_at,
    custom_object_instances.archived_at is not null as is_archived,
    custom_object_instances.created_by_id,
    creators.name as created_by_name,
    custom_object_instances.owned_by_id,
    owners.name as owned_by_name,
    custom_object_instances.organization_id,
    organizations.name as organization_name,
    {{ vitally.counted(
        "accounts.accounts_count",
        ["custom_object_instances.accountIds|custom_object_instances.customers|custom_object_instances.customerId"],
        "custom_object_instances"
    ) }} as accounts_count,
    case when accounts.accounts_count = 1 then accounts.an_account_id end as only_account_id,
    accounts.account_names,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    custom_object_instances.source_relation
{{ vitally.added_columns_of("custom_object_instances") }}
from {{ ref("stg_vitally__custom_object_instances") }} as custom_object_instances
left join {{ ref("stg_vitally__custom_objects") }} as objects
    on
        custom_object_instances.source_relation = objects.source_relation
        and custom_object_instances.custom_object_id = objects.custom_object_id
left join {{ ref("stg_vitally__admins") }} as creators
    on
        custom_object_instances.source_relation = creators.source_relation
        and custom_object_instances.created_by_id = creators.admin_id
left join {{ ref("stg_vitally__admins") }} as owners
    on
        custom_object_instances.source_relation = owners.source_relation
        and custom_object_instances.owned_by_id = owners.admin_id
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        custom_object_instances.source_relation = organizations.source_relation
        and custom_object_instances.organization_id = organizations.organization_id
left join accounts
    on
        custom_object_instances.source_relation = accounts.source_relation
        and custom_object_instances.custom_object_instance_id = accounts.custom_object_instance_id
left join deleted
    on
        custom_object_instances.source_relation = deleted.source_relation
        and custom_object_instances.custom_object_instance_id = deleted.record_id
