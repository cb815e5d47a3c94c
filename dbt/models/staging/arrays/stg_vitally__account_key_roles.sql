{%- set key_role = vitally.json_member("item", "keyRole") -%}
{%- set person = vitally.json_member("item", "vitallyUser") -%}
select
    account_id,
    {{ vitally.json_text(vitally.json_member("item", "id")) }} as account_key_role_id,
    {{ vitally.json_text(vitally.json_member(key_role, "id")) }} as key_role_id,
    {{ vitally.json_text(vitally.json_member(key_role, "label")) }} as key_role_label,
    {{ vitally.json_text(vitally.json_member(person, "id")) }} as admin_id,
    {{ vitally.as_timestamp(vitally.json_text(vitally.json_member("item", "assignedAt"))) }} as assigned_at,
    source_relation
from (
    {{ vitally.elements_of(ref("stg_vitally__accounts"), ["source_relation", "account_id"], "key_roles") }}
) as elements
