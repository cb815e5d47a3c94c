{#-
    Where warehouses differ: JSON. Each macro is given a value of the type that `type_json` names.
    DuckDB and PostgreSQL are tested; Snowflake and BigQuery are written after their documentation.
-#}

{% macro type_json() %}{{ return(adapter.dispatch("type_json", "vitally")()) }}{% endmacro %}

{% macro default__type_json() %}{{ return("json") }}{% endmacro %}

{% macro postgres__type_json() %}{{ return("jsonb") }}{% endmacro %}

{# Not tested. #}
{% macro snowflake__type_json() %}{{ return("variant") }}{% endmacro %}


{#- A column as JSON, whatever type the loader gave it. -#}
{% macro as_json(value, from_type) %}
    {{ return(adapter.dispatch("as_json", "vitally")(value, from_type)) }}
{% endmacro %}

{% macro default__as_json(value, from_type) %}{{ return("cast(" ~ value ~ " as json)") }}{% endmacro %}

{% macro duckdb__as_json(value, from_type) %}
    {{ return(("to_json(" if "[]" in from_type else "cast(") ~ value ~ (")" if "[]" in from_type else " as json)")) }}
{% endmacro %}

{% macro postgres__as_json(value, from_type) %}
    {%- if from_type in ("array",) or "[]" in from_type -%} {{ return("to_jsonb(" ~ value ~ ")") }} {%- endif -%}
    {{ return("cast(" ~ value ~ " as jsonb)") }}
{% endmacro %}

{# Not tested. #}
{% macro snowflake__as_json(value, from_type) %}
    {%- if from_type in ("array", "object", "variant") -%} {{ return("to_variant(" ~ value ~ ")") }} {%- endif -%}
    {{ return("try_parse_json(" ~ value ~ ")") }}
{% endmacro %}

{# Not tested. #}
{% macro bigquery__as_json(value, from_type) %}
    {%- if from_type in ("json", "string") -%}
        {{ return(value if from_type == "json" else "safe.parse_json(" ~ value ~ ")") }}
    {%- endif -%}
    {{ return("to_json(" ~ value ~ ")") }}
{% endmacro %}


{#- A member of an object by its key, which may hold dots. -#}
{% macro json_member(value, key) %}
    {{ return(adapter.dispatch("json_member", "vitally")(value, key | replace("'", "''"))) }}
{% endmacro %}

{% macro default__json_member(value, key) %}
    {{ return("json_extract(" ~ value ~ ", '$.\"" ~ key ~ "\"')") }}
{% endmacro %}

{% macro postgres__json_member(value, key) %}{{ return("(" ~ value ~ " -> '" ~ key ~ "')") }}{% endmacro %}

{# Not tested. #}
{% macro snowflake__json_member(value, key) %}{{ return("get(" ~ value ~ ", '" ~ key ~ "')") }}{% endmacro %}

{# Not tested. #}
{% macro bigquery__json_member(value, key) %}{{ return(value ~ "['" ~ key ~ "']") }}{% endmacro %}


{#- Text as it is, anything else as the text of its JSON; null for null. -#}
{% macro json_text(value) %}{{ return(adapter.dispatch("json_text", "vitally")(value)) }}{% endmacro %}

{% macro default__json_text(value) %}
    {{ return("json_extract_string(" ~ value ~ ", '$')") }}
{% endmacro %}

{% macro postgres__json_text(value) %}{{ return("(" ~ value ~ " #>> '{}')") }}{% endmacro %}

{# Not tested. #}
{% macro snowflake__json_text(value) %}{{ return("as_varchar(to_varchar(" ~ value ~ "))") }}{% endmacro %}

{# Not tested. #}
{% macro bigquery__json_text(value) %}
    {{ return("coalesce(lax_string(" ~ value ~ "), nullif(to_json_string(" ~ value ~ "), 'null'))") }}
{% endmacro %}


{#- The type of a value: text, number, boolean, array, object or null. -#}
{% macro json_type(value) %}{{ return(adapter.dispatch("json_type", "vitally")(value)) }}{% endmacro %}

{% macro default__json_type(value) -%}
    case json_type({{ value }})
        when 'VARCHAR' then 'text'
        when 'BOOLEAN' then 'boolean'
        when 'ARRAY' then 'array'
        when 'OBJECT' then 'object'
        when 'NULL' then 'null'
        else case when {{ value }} is not null then 'number' end
    end
{%- endmacro %}

{% macro postgres__json_type(value) -%}
    replace(jsonb_typeof({{ value }}), 'string', 'text')
{%- endmacro %}

{# Not tested. #}
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

{# Not tested. #}
{% macro bigquery__json_type(value) -%}
    replace(json_type({{ value }}), 'string', 'text')
{%- endmacro %}


{#- How many elements an array has; null for anything else. -#}
{% macro json_length(value) %}{{ return(adapter.dispatch("json_length", "vitally")(value)) }}{% endmacro %}

{% macro default__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then json_array_length({{ value }}) end
{%- endmacro %}

{% macro postgres__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then jsonb_array_length({{ value }}) end
{%- endmacro %}

{# Not tested. #}
{% macro snowflake__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then array_size({{ value }}) end
{%- endmacro %}

{# Not tested. #}
{% macro bigquery__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then array_length(json_query_array({{ value }})) end
{%- endmacro %}
