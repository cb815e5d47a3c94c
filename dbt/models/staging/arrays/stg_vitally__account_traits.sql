{%- set text = vitally.json_text("traits.item") -%}
{%- set type = vitally.json_type("traits.item") -%}
with traits as (
    {{ vitally.members_of(ref("stg_vitally__accounts"), ["source_relation", "account_id"], "traits") }}
),

fields as (
    select
        source_relation,
        path,
        label,
        field_type
    from {{ ref("stg_vitally__custom_fields") }}
    where model = 'accounts'
)

select
    traits.account_id,
    traits.name as path,
    fields.label,
    fields.field_type,
    {{ type }} as value_type,
    {{ text }} as value_text,
    case when {{ type }} = 'number' then {{ vitally.from_text(text, "double") }} end as value_number,
    case when {{ type }} = 'boolean' then {{ vitally.from_text(text, "boolean") }} end as value_boolean,
    case
        when fields.field_type in ('date', 'datetime') then {{ vitally.trait_moment("traits.item") }}
    end as value_at,
    traits.source_relation
from traits
{{ vitally.left_join("traits.name", "fields.path") }}
where {{ type }} <> 'null'
