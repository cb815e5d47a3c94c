{#-
    On PostgreSQL dbt makes a table anew and drops the old one with all views that look at it, also those of
    analysts. Here what is there stays and is given new content, if no column goes or gets another type. New
    ones are added at its end, wherever the query has them: a var that names one more puts it before the traits.
-#}
{% materialization table_in_place, adapter="postgres" %}
    {%- set columns = vitally.columns_in_place(this, sql) -%}
    {%- if not columns -%} {{ return(dbt.materialization_table_default()) }} {%- endif -%}
    {%- if columns.new -%} {%- do alter_relation_add_remove_columns(load_relation(this), columns.new, none) -%} {%- endif -%}
    {%- set names = columns.all | map(attribute="quoted") | join(", ") -%}
    {{ return(vitally.fill(
        "delete from " ~ this ~ ";\ninsert into " ~ this ~ " (" ~ names ~ ")\nselect " ~ names ~ " from (\n" ~ sql ~ "\n) as made"
    )) }}
{% endmaterialization %}


{#- All columns of a query, and those that are new to what is there; none where that cannot stay. -#}
{% macro columns_in_place(relation, sql) %}
    {%- set existing = load_cached_relation(relation) -%}
    {%- if existing is none or existing.type != "table" or should_full_refresh() -%} {{ return(none) }} {%- endif -%}
    {%- set probe = make_temp_relation(relation) -%}
    {%- do run_query("create temporary view " ~ probe ~ " as (\n" ~ sql ~ "\n)") -%}
    {%- set wanted = adapter.get_columns_in_relation(probe) -%}
    {%- do run_query("drop view " ~ probe) -%}
    {%- set types = {} -%}
    {%- for column in wanted -%} {%- do types.update({column.name: column.data_type}) -%} {%- endfor -%}
    {%- set here = [] -%}
    {%- for column in adapter.get_columns_in_relation(existing) -%}
        {%- if types.get(column.name) != column.data_type -%} {{ return(none) }} {%- endif -%}
        {%- do here.append(column.name) -%}
    {%- endfor -%}
    {{ return({"all": wanted, "new": wanted | rejectattr("name", "in", here) | list}) }}
{% endmacro %}


{#- Run the statement that fills a relation which stays, with what dbt does before and after. -#}
{% macro fill(commands) %}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {% call statement("main") %}{{ commands }}{% endcall %}
    {% do apply_grants(this, config.get("grants"), should_revoke=True) %}
    {% do persist_docs(this, model) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [this]}) }}
{% endmacro %}


{#- Have the planner know a table that was just filled: PostgreSQL would find out a minute later. -#}
{% macro analyze(relation) %}{{ return(adapter.dispatch("analyze", "vitally")(relation)) }}{% endmacro %}

{% macro default__analyze(relation) %}{{ return("") }}{% endmacro %}

{% macro postgres__analyze(relation) %}{{ return("analyze " ~ relation) }}{% endmacro %}
