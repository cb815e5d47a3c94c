{#-
    On PostgreSQL dbt makes a table anew and drops the old one with all views that look at it, also those of
    analysts. Here what is there stays and is given new content, if its columns stay what they are; new ones
    may follow them.
-#}
{% materialization table_in_place, adapter="postgres" %}
    {%- set added = vitally.new_columns(this, sql) -%}
    {%- if added is none -%} {{ return(dbt.materialization_table_default()) }} {%- endif -%}
    {%- if added -%} {%- do alter_relation_add_remove_columns(load_relation(this), added, none) -%} {%- endif -%}
    {{ return(vitally.fill("delete from " ~ this ~ ";\ninsert into " ~ this ~ " (\n" ~ sql ~ "\n)")) }}
{% endmaterialization %}


{#- The columns that a query has beyond those of what is there; none where that cannot stay. -#}
{% macro new_columns(relation, sql) %}
    {%- set existing = load_cached_relation(relation) -%}
    {%- if existing is none or existing.type != "table" or should_full_refresh() -%} {{ return(none) }} {%- endif -%}
    {%- set probe = make_temp_relation(relation) -%}
    {%- do run_query("create temporary view " ~ probe ~ " as (\n" ~ sql ~ "\n)") -%}
    {%- set wanted = adapter.get_columns_in_relation(probe) -%}
    {%- do run_query("drop view " ~ probe) -%}
    {%- set here = adapter.get_columns_in_relation(existing) -%}
    {%- for column in here -%}
        {%- set other = wanted[loop.index0] -%}
        {%- if not other or other.name != column.name or other.data_type != column.data_type -%}
            {{ return(none) }}
        {%- endif -%}
    {%- endfor -%}
    {{ return(wanted[here | length:]) }}
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
