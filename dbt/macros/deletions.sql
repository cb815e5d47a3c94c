{#- The tables that an inventory can tell of, with their keys. -#}
{% macro inventoried() %}
    {{ return({
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
    }) }}
{% endmacro %}


{#- The least that a list of ids may hold beside one of so many, if it is to prove anything. -#}
{% macro least_of(count) -%}
    {{ count }} * (1 - {{ var("vitally__largest_loss") }})
{%- endmacro %}


{#- Rows that a list of ids cannot have lost by mistake: one record, or a small share of them. -#}
{% macro is_loss(count, count_before) -%}
    coalesce({{ count }} < {{ vitally.least_of(count_before) }} and {{ count_before }} - {{ count }} > 1, false)
{%- endmacro %}
