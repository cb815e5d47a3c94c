{#-
    What is different on Databricks (runtime 15.3 or newer, which has VARIANT), after its documentation: parsed,
    and not run. TIMESTAMP is a moment there, and TIMESTAMP_NTZ what others call so.
-#}

{% macro databricks__type_json() %}{{ return("variant") }}{% endmacro %}

{% macro databricks__type_double() %}{{ return("double") }}{% endmacro %}

{% macro databricks__type_moment() %}{{ return("timestamp_ntz") }}{% endmacro %}

{% macro databricks__zoned_types() %}{{ return(["timestamp"]) }}{% endmacro %}

{% macro databricks__as_json(value, from_type) %}
    {%- if vitally.kind_of(from_type) == "json" -%} {{ return(value) }}
    {%- elif vitally.kind_of(from_type) == "text" -%} {{ return("try_parse_json(" ~ value ~ ")") }}
    {%- endif -%}
    {{ return("parse_json(to_json(" ~ value ~ "))") }}
{% endmacro %}

{% macro databricks__json_member(value, key) %}
    {%- set path = '$["' ~ key | replace("\\", "\\\\") | replace('"', '\\"') ~ '"]' -%}
    {{ return("try_variant_get(" ~ value ~ ", " ~ vitally.text_literal(path | replace("\\", "\\\\")) ~ ", 'variant')") }}
{% endmacro %}

{% macro databricks__json_text(value) -%}
    case
        when schema_of_variant({{ value }}) = 'STRING' then cast({{ value }} as string)
        when not is_variant_null({{ value }}) then to_json({{ value }})
    end
{%- endmacro %}

{% macro databricks__json_type(value) -%}
    case
        when is_variant_null({{ value }}) then 'null'
        when schema_of_variant({{ value }}) = 'STRING' then 'text'
        when schema_of_variant({{ value }}) = 'BOOLEAN' then 'boolean'
        when schema_of_variant({{ value }}) like 'ARRAY<%' then 'array'
        when schema_of_variant({{ value }}) like 'OBJECT<%' then 'object'
        when {{ value }} is not null then 'number'
    end
{%- endmacro %}

{% macro databricks__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then size(cast({{ value }} as array<variant>)) end
{%- endmacro %}

{% macro databricks__elements_of(relation, keep, array) -%}
    {{ vitally.exploded(relation, keep, array, "array", "part.value as item, part.pos + 1 as position", "variant_explode(") }}
{%- endmacro %}

{% macro databricks__members_of(relation, keep, object) -%}
    {{ vitally.exploded(relation, keep, object, "object", "part.key as name, part.value as item", "variant_explode(") }}
{%- endmacro %}

{#- dbt's own listagg leaves the order out. -#}
{% macro databricks__joined_values(value) %}
    {{ return("array_join(sort_array(collect_list(" ~ value ~ ")), ', ')") }}
{% endmacro %}

{% macro databricks__order_text(value) %}{{ return("to_json(" ~ value ~ ")") }}{% endmacro %}

{% macro databricks__moment_in_utc(value) -%}
    cast(to_utc_timestamp(cast({{ value }} as timestamp), current_timezone()) as timestamp_ntz)
{%- endmacro %}

{% macro databricks__moment_of_epoch(seconds) -%}
    {{ vitally.moment_in_utc("timestamp_micros(cast((" ~ seconds ~ ") * 1000000 as bigint))") }}
{%- endmacro %}
