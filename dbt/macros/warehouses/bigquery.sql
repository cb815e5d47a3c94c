{#- What is different on BigQuery. -#}

{#- With six digits after the point, as on the others: NUMERIC alone has nine. -#}
{% macro bigquery__type_number() %}{{ return("numeric(28, 6)") }}{% endmacro %}

{% macro bigquery__type_double() %}{{ return("float64") }}{% endmacro %}

{#-
    A column of JSON, of text, or REPEATED. Some loaders put the JSON of each object of an array as text into
    a REPEATED STRING, beside which others put plain text.
-#}
{% macro bigquery__as_json(value, from_type) %}
    {%- if from_type == "json" -%} {{ return(value) }}
    {%- elif from_type == "array<string>" -%}
        {{ return(
            "to_json(array(select if(element like '{%', " ~ vitally.as_json("element", "string") ~ ", to_json(element))"
            ~ " from unnest(" ~ value ~ ") as element with offset as place order by place))"
        ) }}
    {%- elif vitally.kind_of(from_type) == "text" -%}
        {{ return("safe.parse_json(" ~ value ~ ", wide_number_mode => 'round')") }}
    {%- endif -%}
    {{ return("to_json(" ~ value ~ ")") }}
{% endmacro %}

{% macro bigquery__json_member(value, key) %}
    {{ return(value ~ "[" ~ vitally.text_literal(key | replace("\\", "\\\\")) ~ "]") }}
{% endmacro %}

{% macro bigquery__json_text(value) %}
    {{ return("coalesce(lax_string(" ~ value ~ "), nullif(to_json_string(" ~ value ~ "), 'null'))") }}
{% endmacro %}

{% macro bigquery__json_type(value) -%}
    replace(json_type({{ value }}), 'string', 'text')
{%- endmacro %}

{% macro bigquery__json_length(value) -%}
    case when {{ vitally.json_type(value) }} = 'array' then array_length(json_query_array({{ value }})) end
{%- endmacro %}

{% macro bigquery__elements_of(relation, keep, array) -%}
    select
        {{ keep | join(", ") }},
        item,
        place + 1 as position
    from {{ relation }}
    cross join
        unnest(case when json_type({{ array }}) = 'array' then json_query_array({{ array }}) end) as item
            with offset as place
{%- endmacro %}

{#- JSON_KEYS puts a key that holds more than letters, digits and _ between double quotes. -#}
{% macro bigquery__members_of(relation, keep, object) -%}
    select
        {{ keep | join(", ") }},
        if(starts_with(member_key, '"'), json_value(member_key), member_key) as name,
        {{ object }}[if(starts_with(member_key, '"'), json_value(member_key), member_key)] as item
    from {{ relation }}
    cross join
        unnest(case when json_type({{ object }}) = 'object' then json_keys({{ object }}, 1) end) as member_key
{%- endmacro %}

{#- Whole values of all types, which a cast to text does not take. -#}
{% macro bigquery__order_text(value) %}{{ return("to_json_string(" ~ value ~ ")") }}{% endmacro %}

{% macro bigquery__matches(value, pattern) %}{{ return("regexp_contains(" ~ value ~ ", '" ~ pattern ~ "')") }}{% endmacro %}

{% macro bigquery__moment_in_utc(value) -%} cast({{ value }} as timestamp) {%- endmacro %}

{% macro bigquery__moment_of_epoch(seconds) -%}
    timestamp_micros(cast(({{ seconds }}) * 1000000 as int64))
{%- endmacro %}
