{#-
    Where warehouses differ: JSON. Each macro is given a value of the type that `type_json` names. The
    versions called default are DuckDB's; those of other warehouses are in warehouses/.
-#}

{% macro type_json() %}{{ return(adapter.dispatch("type_json", "vitally")()) }}{% endmacro %}

{% macro default__type_json() %}{{ return("json") }}{% endmacro %}

{% macro postgres__type_json() %}{{ return("jsonb") }}{% endmacro %}


{#- A column as JSON, whatever type the loader gave it; null for text that is not JSON. -#}
{% macro as_json(value, from_type) %}
    {{ return(adapter.dispatch("as_json", "vitally")(value, from_type | lower)) }}
{% endmacro %}

{% macro default__as_json(value, from_type) %}
    {%- if vitally.kind_of(from_type) in ("json", "text") -%} {{ return("try_cast(" ~ value ~ " as json)") }} {%- endif -%}
    {{ return("to_json(" ~ value ~ ")") }}
{% endmacro %}

{% macro postgres__as_json(value, from_type) %}
    {%- set kind = vitally.kind_of(from_type) -%}
    {%- if kind == "json" -%} {{ return("cast(" ~ value ~ " as jsonb)") }}
    {%- elif kind != "text" -%} {{ return("to_jsonb(" ~ value ~ ")") }}
    {%- elif execute and run_query("show server_version_num").rows[0][0] | int < 160000 -%}
        {{ return("cast(nullif(trim(" ~ value ~ "), '') as jsonb)") }}
    {%- endif -%}
    {{ return("case when pg_input_is_valid(" ~ value ~ ", 'jsonb') then cast(" ~ value ~ " as jsonb) end") }}
{% endmacro %}


{#- A member of an object by its key, which may hold dots and quotes. -#}
{% macro json_member(value, key) %}
    {{ return(adapter.dispatch("json_member", "vitally")(value, key)) }}
{% endmacro %}

{% macro default__json_member(value, key) %}
    {%- set pointer = "/" ~ key | replace("~", "~0") | replace("/", "~1") -%}
    {{ return("json_extract(" ~ value ~ ", " ~ vitally.text_literal(pointer) ~ ")") }}
{% endmacro %}

{% macro postgres__json_member(value, key) %}{{ return("(" ~ value ~ " -> " ~ vitally.text_literal(key) ~ ")") }}{% endmacro %}

{% macro text_literal(value) %}{{ return(dbt.string_literal(dbt.escape_single_quotes(value))) }}{% endmacro %}


{#- Text as it is, anything else as the text of its JSON; null for null. -#}
{% macro json_text(value) %}{{ return(adapter.dispatch("json_text", "vitally")(value)) }}{% endmacro %}

{% macro default__json_text(value) %}
    {{ return("json_extract_string(" ~ value ~ ", '$')") }}
{% endmacro %}

{% macro postgres__json_text(value) %}{{ return("(" ~ value ~ " #>> '{}')") }}{% endmacro %}


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


{#- How many elements an array has; null for anything else. -#}
{% macro json_length(value) %}{{ return(adapter.dispatch("json_length", "vitally")(value)) }}{% endmacro %}

{% macro default__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then json_array_length({{ value }}) end
{%- endmacro %}

{% macro postgres__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then jsonb_array_length({{ value }}) end
{%- endmacro %}
