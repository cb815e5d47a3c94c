{#- Only a list of ids that was read to its end proves that a record is gone, and only one made before it. -#}
{%- set tables = {
    "accounts": "account_id",
    "organizations": "organization_id",
    "users": "user_id",
    "conversations": "conversation_id",
    "nps_responses": "nps_response_id",
    "notes": "note_id",
    "tasks": "task_id",
    "projects": "project_id",
    "meetings": "meeting_id",
    "custom_object_instances": "custom_object_instance_id",
} -%}
with records as (
    {%- for table, key in tables.items() %}
        select
            '{{ table }}' as stream_name,
            {{ key }} as record_id,
            created_at
        from {{ ref("stg_vitally__" ~ table) }}
        {{ "union all" if not loop.last }}
    {%- endfor %}
),

lists as (
    select
        stream_name,
        max(started_at) as started_at
    from {{ ref("stg_vitally__inventory_runs") }}
    group by stream_name
)

select
    records.stream_name,
    records.record_id,
    records.created_at,
    lists.started_at as missing_at
from records
inner join lists
    on
        records.stream_name = lists.stream_name
        and records.created_at < lists.started_at
where not exists (
    select 1 from {{ ref("stg_vitally__inventory") }} as inventory
    where
        inventory.stream_name = records.stream_name
        and inventory.record_id = records.record_id
        and inventory.listed_at >= lists.started_at
)
