with accounts as (
    {{ vitally.linked("custom_object_instance_accounts", "custom_object_instance_id", "accounts", "account") }}
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
    case when accounts.accounts_count = 1 then accounts.account_id end as only_account_id,
    accounts.account_names,
    deleted.record_id is not null as is_deleted,
    deleted.missing_at as deleted_before,
    custom_object_instances.source_relation
{{ vitally.added_columns_of("custom_object_instances") }}
from {{ ref("stg_vitally__custom_object_instances") }} as custom_object_instances
{{ vitally.left_join(
    "custom_object_instances.custom_object_id", "objects.custom_object_id", ref("stg_vitally__custom_objects")
) }}
{{ vitally.left_join("custom_object_instances.created_by_id", "creators.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join("custom_object_instances.owned_by_id", "owners.admin_id", ref("stg_vitally__admins")) }}
{{ vitally.left_join(
    "custom_object_instances.organization_id", "organizations.organization_id", ref("stg_vitally__organizations")
) }}
{{ vitally.left_join("custom_object_instances.custom_object_instance_id", "accounts.custom_object_instance_id") }}
{{ vitally.join_deleted("custom_object_instances", "custom_object_instances.custom_object_instance_id") }}
