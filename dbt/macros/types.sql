{#- What a warehouse calls the types that the package uses. -#}
{% macro type_of(type) %}
    {%- if type == "json" -%} {{ return(vitally.type_json()) }}
    {%- elif type == "timestamp" -%} {{ return(dbt.type_timestamp()) }}
    {%- elif type == "integer" -%} {{ return(dbt.type_bigint()) }}
    {%- elif type == "number" -%} {{ return(dbt.type_numeric()) }}
    {%- elif type == "double" -%} {{ return("float64" if target.type == "bigquery" else "double precision") }}
    {%- elif type == "boolean" -%} {{ return(dbt.type_boolean()) }}
    {%- elif type == "date" -%} {{ return("date") }}
    {%- elif type == "text" -%} {{ return(dbt.type_string()) }}
    {%- else -%} {{ exceptions.raise_compiler_error("There is no type " ~ type) }}
    {%- endif -%}
{% endmacro %}


{#- A value as it is in the warehouse, brought to a type of the package. -#}
{% macro typed(value, type, from_type="text") %}
    {%- set is_text = "char" in from_type or from_type in ("text", "string") -%}
    {%- if type == "json" -%} {{ return(vitally.as_json(value, from_type)) }}
    {%- elif type == "date" -%} {{ return(vitally.as_date(value)) }}
    {%- elif type == "timestamp" and is_text -%} {{ return(vitally.as_timestamp(value)) }}
    {%- elif type == "timestamp" and ("with time zone" in from_type or "tz" in from_type) -%}
        {{ return("cast(" ~ value ~ " at time zone 'UTC' as " ~ dbt.type_timestamp() ~ ")") }}
    {%- else -%} {{ return("cast(" ~ value ~ " as " ~ vitally.type_of(type) ~ ")") }}
    {%- endif -%}
{% endmacro %}


{#- The day of a value that is a date, a moment, or the text of either; null for other text. -#}
{% macro as_date(value) -%}
    {%- set text = "substring(cast(" ~ value ~ " as " ~ dbt.type_string() ~ "), 1, 10)" -%}
    case when {{ text }} like '____-__-__' then cast({{ text }} as date) end
{%- endmacro %}


{#- The moment that a text in RFC 3339 or a bare date names, in UTC; null for other text. -#}
{% macro as_timestamp(value) -%}
    case
        when {{ value }} like '____-__-__' then cast({{ value }} as {{ dbt.type_timestamp() }})
        when {{ value }} like '____-__-__T%' then {{ vitally.moment_in_utc(value) }}
    end
{%- endmacro %}


{% macro moment_in_utc(value) -%}
    {{ return(adapter.dispatch("moment_in_utc", "vitally")(value)) }}
{%- endmacro %}

{% macro default__moment_in_utc(value) -%}
    cast(cast({{ value }} as timestamp with time zone) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro duckdb__moment_in_utc(value) -%}
    cast({{ value }} as timestamp)
{%- endmacro %}

{# Not tested. #}
{% macro snowflake__moment_in_utc(value) -%}
    convert_timezone('UTC', to_timestamp_tz({{ value }}))::timestamp_ntz
{%- endmacro %}

{# Not tested. #}
{% macro bigquery__moment_in_utc(value) -%}
    cast({{ value }} as timestamp)
{%- endmacro %}


{#- The moment that a number of seconds since 1970 names, in UTC. -#}
{% macro moment_of_epoch(seconds) -%}
    {{ return(adapter.dispatch("moment_of_epoch", "vitally")(seconds)) }}
{%- endmacro %}

{% macro default__moment_of_epoch(seconds) -%}
    cast(to_timestamp({{ seconds }}) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro duckdb__moment_of_epoch(seconds) -%}
    make_timestamp(cast(({{ seconds }}) * 1000000 as bigint))
{%- endmacro %}

{# Not tested. #}
{% macro snowflake__moment_of_epoch(seconds) -%}
    to_timestamp_ntz(({{ seconds }}) * 1000, 3)
{%- endmacro %}

{# Not tested. #}
{% macro bigquery__moment_of_epoch(seconds) -%}
    timestamp_millis(cast(({{ seconds }}) * 1000 as int64))
{%- endmacro %}


{#- The moment that "overdue" and "days since" refer to. -#}
{% macro as_of() -%}
    cast('{{ var("vitally__as_of") or run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as {{ dbt.type_timestamp() }})
{%- endmacro %}


{#- Which of the three bands a health score is in. -#}
{% macro health_band(score) -%}
    case
        when {{ score }} < {{ var("vitally__poor_health_below") }} then 'poor'
        when {{ score }} < {{ var("vitally__good_health_from") }} then 'average'
        when {{ score }} is not null then 'good'
        else 'unknown'
    end
{%- endmacro %}
