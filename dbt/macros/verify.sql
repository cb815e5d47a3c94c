{#-
    Print what the warehouse holds, for `tap-vitally --verify`: CSV with a count, or with `ids=true` the ids, of
    each stream. Records that are known to be deleted in Vitally are left out.

        dbt --quiet run-operation held --args '{streams: [users], ids: true}' | tap-vitally --config=ENV --verify

    `streams` are those of `keys_of_streams` unless given, and `workspace` is the first.
-#}
{% macro held(streams=none, ids=false, workspace=none) %}
    {%- set keys = vitally.keys_of_streams() -%}
    {%- set lines = ["stream,id" if ids else "stream,count"] -%}
    {%- for stream in streams or keys.keys() -%}
        {%- if stream not in keys -%}
            {{ exceptions.raise_compiler_error("held knows no stream " ~ stream ~ ", only " ~ keys.keys() | join(", ")) }}
        {%- endif -%}
        {%- set model = ref("stg_vitally__" ~ stream) -%}
        {%- set made = adapter.get_relation(model.database, model.schema, model.identifier) if execute -%}
        {%- if made -%}
            {%- set sql -%}
                select {{ "records." ~ keys[stream] if ids else "count(*)" }} as held
                from {{ model }} as records
                {{ vitally.join_deleted(stream, "records." ~ keys[stream]) }}
                where
                    deleted.record_id is null
                    and records.source_relation = {{ vitally.text_literal(workspace or vitally.workspaces()[0]["name"]) }}
            {%- endset -%}
            {%- for row in run_query(sql).rows -%} {%- do lines.append(stream ~ "," ~ row[0]) -%} {%- endfor -%}
        {%- elif streams -%}
            {{ exceptions.raise_compiler_error("There is no table " ~ model ~ ": build it first") }}
        {%- endif -%}
    {%- endfor -%}
    {%- do print(lines | join("\n")) -%}
{% endmacro %}


{#- The streams whose records have an id, with the column of the staging model that holds it. -#}
{% macro keys_of_streams() %}
    {{ return(dict(
        vitally.inventoried(), admins="admin_id", note_categories="note_category_id", task_categories="task_category_id",
        project_categories="project_category_id", project_templates="project_template_id",
        custom_objects="custom_object_id"
    )) }}
{% endmacro %}
