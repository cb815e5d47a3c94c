{#-
    The overall score in a breakdown, or null: its shape is not documented, so the names that were seen are
    tried, and a number counts if it is on the scale of accounts.healthScore, from 0 to 10.
-#}
{% macro overall_score(breakdown) -%}
    coalesce(
    {%- for key in ["overall", "overallHealth", "healthScore", "score"] -%}
        {%- set member = vitally.json_member(breakdown, key) -%}
        {%- set number = vitally.from_text(vitally.json_text(member), "number") %}
        case
            when {{ vitally.json_type(member) }} = 'number'
                then case when {{ number }} between 0 and 10 then {{ number }} end
        end{{ "," if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}


{#- Whether a customer has churned: a date ahead is notice given. -#}
{% macro is_past(moment) -%}
    coalesce({{ moment }} <= {{ vitally.as_of() }}, false)
{%- endmacro %}
