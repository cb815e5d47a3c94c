{#-
    The workspaces that are read: the name that `source_relation` gives each, and where its tables are. One,
    unless the var vitally_sources lists several.
-#}
{% macro workspaces() %}
    {%- set found = [] -%}
    {%- for each in var("vitally_sources", none) or [{"schema": var("vitally_schema")}] -%}
        {%- do found.append({
            "name": each.get("name") or each["schema"],
            "schema": each["schema"],
            "database": each.get("database") or var("vitally_database", target.database),
        }) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- Give the rows that were made before there was a column for their workspace the name of the first one. -#}
{% macro name_workspace(relation) -%}
    update {{ relation }} set source_relation = {{ vitally.text_literal(vitally.workspaces()[0]["name"]) }}
    where source_relation is null
{%- endmacro %}


{#-
    The tables of a stream that are in the warehouse, by the name of their workspace; none where the stream is
    not used.

    source() is called while dbt parses, too: that is what draws the line from the table to its models.
-#}
{% macro tables_of(stream) %}
    {%- set named = source("vitally", stream) -%}
    {%- set found = {} -%}
    {%- if execute and var("vitally__using_" ~ stream, none) is not false -%}
        {%- for each in vitally.workspaces() -%}
            {%- set table = adapter.get_relation(each["database"], each["schema"], named.identifier) -%}
            {%- if table is not none -%} {%- do found.update({each["name"]: table}) -%} {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{% endmacro %}


{#- Say which tables of a stream are missing, as an error where nothing can be right without one. -#}
{% macro warn_of_missing(stream, tables) %}
    {%- set used = var("vitally__using_" ~ stream, none) -%}
    {%- for each in vitally.workspaces() if each["name"] not in tables -%}
        {%- set missing = "There is no table " ~ each["database"] ~ "." ~ each["schema"] ~ "." ~ source("vitally", stream).identifier -%}
        {%- if stream == "accounts" and var("vitally__accounts_required") and used is not false -%}
            {%- set which = "vitally_sources" if var("vitally_sources", none) else "vitally_schema" -%}
            {{ exceptions.raise_compiler_error(missing ~ ": set the var " ~ which) }}
        {%- elif used -%}
            {% do exceptions.warn(missing ~ ", though vitally__using_" ~ stream ~ " is true: what is made of it is empty") %}
        {%- elif used is none -%}
            {{ log(missing ~ ", so what is made of it is empty", info=true) }}
        {%- endif -%}
    {%- endfor -%}
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


{#-
    The value of a property in a table, and the type of that; none where the table lacks it. Some loaders keep whole
    records in one column of JSON, which may hold any property.
-#}
{% macro property_of(found, name) %}
    {%- set column = found.get(vitally.spelled_alike(name)) -%}
    {%- if column -%} {{ return({"value": adapter.quote(column.name), "type": column.data_type}) }} {%- endif -%}
    {%- set records = vitally.column_of_records(found) -%}
    {%- if not records or name.startswith("_") -%} {{ return(none) }} {%- endif -%}
    {%- set record = vitally.as_json(adapter.quote(records.name), records.data_type) -%}
    {{ return({"value": vitally.json_member(record, name), "type": vitally.type_json()}) }}
{% endmacro %}


{#- The column of a table that holds whole records: the only one beside those of the loader, if so. -#}
{% macro column_of_records(found) %}
    {%- set beside = [] -%}
    {%- for column in found.values() if not column.name.startswith("_") or column.name | lower == "_airbyte_data" -%}
        {%- do beside.append(column) -%}
    {%- endfor -%}
    {%- if beside | length == 1 and beside[0].name | lower in ("data", "record", "_airbyte_data") -%}
        {{ return(beside[0]) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{#-
    The rows of a stream, one for each workspace and key, in their latest version.

    `columns` lists the property, its type and its name in the model. What a table lacks is null, and
    what is not of the type is brought to it, so that a model has the same columns everywhere; those that
    the var vitally__columns names and those of traits follow. A row that is marked as deleted goes after the
    latest version is found: before, an older one would come back.
-#}
{% macro staged(stream, columns, key=["id"]) %}
    {%- set tables = vitally.tables_of(stream) -%}
    {%- if execute -%} {%- do vitally.warn_of_missing(stream, tables) -%} {%- endif -%}
    {%- set added = vitally.added_columns(stream, tables) -%}
    {%- for workspace, table in (tables or {"": none}).items() -%}
        {%- set found = vitally.columns_of(table) -%}
        {%- set chosen = [] -%}
        {%- for name, type, alias in columns -%}
            {%- set property = vitally.property_of(found, name) -%}
            {%- set absent = "cast(null as " ~ vitally.type_of(type) ~ ")" -%}
            {%- do chosen.append((vitally.typed(property.value, type, property.type) if property else absent) ~ " as " ~ alias) -%}
        {%- endfor -%}
        {%- set name = vitally.text_literal(workspace) -%}
        {%- do chosen.append("cast(" ~ name ~ " as " ~ vitally.type_of("text") ~ ") as source_relation") -%}
        {%- for alias, values in added.items() -%} {%- do chosen.append(values[workspace] ~ " as " ~ alias) -%} {%- endfor %}
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
            partition by {{ vitally.key_columns(table, found, key) | join(", ") }}
            order by
                {{ vitally.newest_first(found, columns) | join(",\n                ") }}
        ) as version_number
    from {{ table }} as versions
) as latest
where
    version_number = 1
            {%- for mark in vitally.deletion_marks(found) %}
    and not {{ mark }}
            {%- endfor %}
        {%- endif %}
        {{- "\nunion all" if not loop.last }}
    {%- endfor %}
{% endmacro %}


{#- The key of a table, which it must have, as values to partition by. -#}
{% macro key_columns(table, found, key) %}
    {%- set values = [] -%}
    {%- for name in key -%}
        {%- set property = vitally.property_of(found, name) -%}
        {%- if not property -%}
            {{ exceptions.raise_compiler_error(
                "The table " ~ table ~ " has no column for " ~ name ~ ", part of its key, only "
                ~ found.values() | map(attribute="name") | join(", ") ~ "; check what the loader made of it"
            ) }}
        {%- endif -%}
        {%- set is_json = vitally.kind_of(property.type) == "json" -%}
        {%- do values.append(vitally.typed(property.value, "text", property.type) if is_json else property.value) -%}
    {%- endfor -%}
    {{ return(values) }}
{% endmacro %}


{#- Conditions that hold for a row which the loader has marked as deleted. -#}
{% macro deletion_marks(found) %}
    {%- set marks = [] -%}
    {%- for name in ["_sdc_deleted_at", "_ab_cdc_deleted_at"] if vitally.spelled_alike(name) in found -%}
        {%- set column = adapter.quote(found[vitally.spelled_alike(name)].name) -%}
        {%- do marks.append("(coalesce(cast(" ~ column ~ " as " ~ dbt.type_string() ~ "), '') <> '')") -%}
    {%- endfor -%}
    {%- for name in ["_fivetran_deleted"] if vitally.spelled_alike(name) in found -%}
        {%- set column = found[vitally.spelled_alike(name)] -%}
        {%- do marks.append("coalesce(" ~ vitally.typed(adapter.quote(column.name), "boolean", column.data_type) ~ ", false)") -%}
    {%- endfor -%}
    {{ return(marks) }}
{% endmacro %}


{#-
    An order of the versions of a row, the newest first: by when it changed or was deleted, by when it
    was loaded, the deleted one first, and at last by its values, so that every run chooses the same one.
    Text and JSON are left out where the loader numbers its rows: with the bodies of 300,000 messages in
    the order, DuckDB took 4 s instead of 0.7.
-#}
{% macro newest_first(found, columns) %}
    {%- set moments = [] -%}
    {%- for name in ["_sdc_deleted_at", "_ab_cdc_deleted_at", "updatedAt", "conversationUpdatedAt", "seenAt", "observedAt", "finishedAt"]
        if vitally.property_of(found, name) -%}
        {%- set property = vitally.property_of(found, name) -%}
        {%- do moments.append(vitally.typed(property.value, "timestamp", property.type)) -%}
    {%- endfor -%}
    {%- set order = [] -%}
    {%- if moments -%} {%- do order.append("coalesce(" ~ moments | join(", ") ~ ", null) desc nulls last") -%} {%- endif -%}
    {%- for name in [
        var("vitally_loaded_at"), "_sdc_sequence", "_sdc_batched_at", "_sdc_received_at", "_sdc_extracted_at",
        "_airbyte_extracted_at", "_airbyte_emitted_at", "_fivetran_synced", "_dlt_load_id", "__hevo__ingested_at",
    ] if vitally.spelled_alike(name) in found -%}
        {%- set column = found[vitally.spelled_alike(name)] -%}
        {%- set value = adapter.quote(column.name) -%}
        {%- if vitally.kind_of(column.data_type) == "text" -%}
            {%- do order.append(vitally.as_timestamp(value) ~ " desc nulls last") -%}
            {%- do order.append(vitally.from_text(value, "number") ~ " desc nulls last") -%}
        {%- endif -%}
        {%- do order.append(value ~ " desc nulls last") -%}
    {%- endfor -%}
    {%- for mark in vitally.deletion_marks(found) -%} {%- do order.append(mark ~ " desc") -%} {%- endfor -%}
    {%- set numbered = [] -%}
    {%- for name in ["_sdc_sequence", "_airbyte_raw_id", "_airbyte_ab_id", "_dlt_id"] if vitally.spelled_alike(name) in found -%}
        {%- do numbered.append(adapter.quote(found[vitally.spelled_alike(name)].name) ~ " desc nulls last") -%}
    {%- endfor -%}
    {%- do order.extend(numbered) -%}
    {%- for name, type, alias in columns if vitally.property_of(found, name) -%}
        {%- set property = vitally.property_of(found, name) -%}
        {%- if not numbered or vitally.kind_of(property.type) not in ("text", "json", "other") -%}
            {%- do order.append(vitally.order_text(property.value, property.type) ~ " desc nulls last") -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(order | unique(case_sensitive=true) | list) }}
{% endmacro %}


{#- A value of any type as something that can be ordered. -#}
{% macro order_text(value, from_type) %}
    {%- if vitally.kind_of(from_type) not in ("json", "other") -%}
        {{ return(value) }}
    {%- endif -%}
    {{ return(adapter.dispatch("order_text", "vitally")(value)) }}
{% endmacro %}

{% macro default__order_text(value) %}{{ return("cast(" ~ value ~ " as " ~ dbt.type_string() ~ ")") }}{% endmacro %}
