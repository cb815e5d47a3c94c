{#-
    The overall score in a breakdown, or null: its shape is not documented, so the names that were seen are
    tried, and a number counts if it is on the scale of accounts.healthScore, from 0 to 10. One that is written
    as nearly all are needs no more than one pattern: those of all numbers, each tried three times, were most of
    the time that 360,000 rows took PostgreSQL.
-#}
{% macro overall_score(breakdown) -%}
    coalesce(
    {%- for key in ["overall", "overallHealth", "healthScore", "score"] -%}
        {%- set member = vitally.json_member(breakdown, key) -%}
        {%- set text = vitally.json_text(member) -%}
        {%- set number = vitally.from_text(text, "number") %}
        case
            when {{ vitally.json_type(member) }} <> 'number' then null
            when {{ vitally.matches(text, "[0-9]([.][0-9]{1,16})?") }} then cast({{ text }} as {{ vitally.type_of("number") }})
            when {{ number }} between 0 and 10 then {{ number }}
        end{{ "," if not loop.last }}
    {%- endfor %}
    )
{%- endmacro %}


{#- Whether a customer has churned: a date ahead is notice given. -#}
{% macro is_past(moment) -%}
    coalesce({{ moment }} <= {{ vitally.as_of() }}, false)
{%- endmacro %}
