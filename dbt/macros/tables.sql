{#- The table of a stream as it is in the warehouse, or nothing where it is missing or not used. -#}
{% macro table_of(stream) %}
    {%- if not execute or not var("vitally__using_" ~ stream, true) -%} {{ return(none) }} {%- endif -%}
    {%- set named = source("vitally", stream) -%}
    {%- set found = adapter.get_relation(named.database, named.schema, named.identifier) -%}
    {%- if found is none and stream == "accounts" and var("vitally__accounts_required") -%}
        {{ exceptions.raise_compiler_error("There is no table " ~ named ~ ": set the var vitally_schema") }}
    {%- elif found is none -%}
        {{ log("There is no table " ~ named ~ ", so what is made of it is empty", info=true) }}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}


{#- Loaders spell a property in their own way: createdAt, createdat, CREATEDAT, created_at. -#}
{% macro spelled_alike(name) %}{{ return(name | lower | replace("_", "")) }}{% endmacro %}


{#- The columns of a table by the spelling that all loaders share. -#}
{% macro columns_of(table) %}
    {%- set found = {} -%}
    {%- if table is not none -%}
        {%- for column in adapter.get_columns_in_relation(table) -%}
            {%- do found.update({vitally.spelled_alike(column.name): column}) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}


{#- The columns that the tap's setting trait_columns has made; their names begin with trait_. -#}
{% macro trait_columns_of(found) %}
    {%- set traits = [] -%}
    {%- for column in found.values() if column.name | lower | truncate(6, true, "", 0) == "trait_" -%}
        {%- do traits.append(column) -%}
    {%- endfor -%}
    {{ return(traits) }}
{% endmacro %}


{#-
    The rows of a stream, one for each key, in their latest version.

    `columns` lists the property, its type and its name in the model. What the table lacks is null, and
    what is not of the type is brought to it, so that a model has the same columns everywhere.
-#}
{% macro staged(stream, columns, key=["id"]) %}
    {%- set table = vitally.table_of(stream) -%}
    {%- set found = vitally.columns_of(table) -%}
    {%- set chosen = [] -%}
    {%- for name, type, alias in columns -%}
        {%- set column = found.get(vitally.spelled_alike(name)) -%}
        {%- set value = "cast(null as " ~ vitally.type_of(type) ~ ")" -%}
        {%- if column -%}
            {%- set value = vitally.typed(adapter.quote(column.name), type, column.dtype | lower) -%}
        {%- endif -%}
        {%- do chosen.append(value ~ " as " ~ alias) -%}
    {%- endfor -%}
    {%- for column in vitally.trait_columns_of(found) -%}
        {%- do chosen.append(adapter.quote(column.name) ~ " as " ~ column.name | lower) -%}
    {%- endfor %}
select
    {{ chosen | join(",\n    ") }}
    {%- if table is none %}
from (select 1 as one) as nothing
where 1 = 0
    {%- else %}
from (
    select
        versions.*,
        row_number() over (
            partition by {{ vitally.quoted(found, key) | join(", ") }}
            order by {{ vitally.newest_first(found) }}
        ) as version_number
    from {{ source("vitally", stream) }} as versions
        {%- if "sdcdeletedat" in found %}
    where {{ vitally.quoted(found, ["_sdc_deleted_at"])[0] }} is null
        {%- endif %}
) as latest
where version_number = 1
    {%- endif %}
{% endmacro %}


{#- The names that the loader gave to properties, those that the table lacks left out. -#}
{% macro quoted(found, names) %}
    {%- set quoted = [] -%}
    {%- for name in names if vitally.spelled_alike(name) in found -%}
        {%- do quoted.append(adapter.quote(found[vitally.spelled_alike(name)].name)) -%}
    {%- endfor -%}
    {{ return(quoted) }}
{% endmacro %}


{#- An order of the versions of a row, as far as the table can tell. -#}
{% macro newest_first(found) %}
    {%- set moments = ["updatedAt", "conversationUpdatedAt", "_sdc_sequence", "_sdc_batched_at", "_sdc_extracted_at"] -%}
    {%- set order = [] -%}
    {%- for column in vitally.quoted(found, moments) -%}
        {%- do order.append(column ~ " desc nulls last") -%}
    {%- endfor -%}
    {{ return(order | join(", ") or "1") }}
{% endmacro %}
