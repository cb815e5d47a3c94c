{#- What is different on Snowflake. Text is cast by session parameters, so formats are named where there is one. -#}

{% macro snowflake__type_json() %}{{ return("variant") }}{% endmacro %}

{#- TIMESTAMP is whatever TIMESTAMP_TYPE_MAPPING says. -#}
{% macro snowflake__type_moment() %}{{ return("timestamp_ntz") }}{% endmacro %}

{% macro snowflake__as_json(value, from_type) %}
    {%- if vitally.kind_of(from_type) == "json" -%} {{ return(value) }}
    {%- elif vitally.kind_of(from_type) == "text" -%} {{ return("try_parse_json(" ~ value ~ ")") }}
    {%- endif -%}
    {{ return("to_variant(" ~ value ~ ")") }}
{% endmacro %}

{% macro snowflake__json_member(value, key) %}
    {{ return("get(" ~ value ~ ", " ~ vitally.text_literal(key | replace("\\", "\\\\")) ~ ")") }}
{% endmacro %}

{#- A null of JSON is the text null in one part of the documentation of TO_VARCHAR, and null in another. -#}
{% macro snowflake__json_text(value) %}
    {{ return("case when typeof(" ~ value ~ ") <> 'NULL_VALUE' then to_varchar(" ~ value ~ ") end") }}
{% endmacro %}

{% macro snowflake__json_type(value) -%}
    case typeof({{ value }})
        when 'VARCHAR' then 'text'
        when 'BOOLEAN' then 'boolean'
        when 'ARRAY' then 'array'
        when 'OBJECT' then 'object'
        when 'NULL_VALUE' then 'null'
        else case when {{ value }} is not null then 'number' end
    end
{%- endmacro %}

{% macro snowflake__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then array_size({{ value }}) end
{%- endmacro %}

{% macro snowflake__elements_of(relation, keep, array) -%}
    {{ vitally.exploded(relation, keep, array, "array", "part.value as item, part.index + 1 as position", "flatten(input => ") }}
{%- endmacro %}

{% macro snowflake__members_of(relation, keep, object) -%}
    {{ vitally.exploded(relation, keep, object, "object", "part.key as name, part.value as item", "flatten(input => ") }}
{%- endmacro %}

{% macro snowflake__moment_in_utc(value) -%}
    cast(convert_timezone('UTC', cast({{ value }} as timestamp_tz)) as timestamp_ntz)
{%- endmacro %}

{% macro snowflake__moment_of_epoch(seconds) -%}
    to_timestamp_ntz(cast(({{ seconds }}) * 1000000 as bigint), 6)
{%- endmacro %}

{% macro snowflake__day_text(day) -%} to_char({{ day }}, 'YYYY-MM-DD') {%- endmacro %}
