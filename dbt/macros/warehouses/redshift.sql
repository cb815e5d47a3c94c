{#-
    What is different on Redshift, after its documentation: parsed, and not run. JSON is SUPER, and names of
    members tell case only where enable_case_sensitive_identifier is set.
-#}

{% macro redshift__type_json() %}{{ return("super") }}{% endmacro %}

{% macro redshift__as_json(value, from_type) %}
    {%- if vitally.kind_of(from_type) == "json" -%} {{ return(value) }} {%- endif -%}
    {{ return("case when can_json_parse(" ~ value ~ ") then json_parse(" ~ value ~ ") end") }}
{% endmacro %}

{% macro redshift__json_member(value, key) %}
    {{ return(value ~ '."' ~ key | replace('"', '""') ~ '"') }}
{% endmacro %}

{% macro redshift__json_text(value) -%}
    case
        when json_typeof({{ value }}) = 'string' then cast({{ value }} as varchar(65535))
        when json_typeof({{ value }}) <> 'null' then json_serialize({{ value }})
    end
{%- endmacro %}

{% macro redshift__json_type(value) -%} replace(json_typeof({{ value }}), 'string', 'text') {%- endmacro %}

{% macro redshift__json_length(value) -%}
    case when is_array({{ value }}) then get_array_length({{ value }}) end
{%- endmacro %}

{#- PartiQL: what is unnested is a path that begins with an alias of the query. -#}
{% macro redshift__elements_of(relation, keep, array) -%}
    select
        {{ keep | join(", ") }},
        item,
        place + 1 as position
    from (select {{ keep | join(", ") }}, {{ array }} as elements from {{ relation }}) as listed,
        listed.elements as item at place
    where is_array(listed.elements)
{%- endmacro %}

{% macro redshift__members_of(relation, keep, object) -%}
    select
        {{ keep | join(", ") }},
        cast(name as varchar(65535)) as name,
        item
    from (select {{ keep | join(", ") }}, {{ object }} as members from {{ relation }}) as listed,
        unpivot listed.members as item at name
    where is_object(listed.members)
{%- endmacro %}

{% macro redshift__order_text(value) %}{{ return("json_serialize(" ~ value ~ ")") }}{% endmacro %}

{% macro redshift__moment_of_epoch(seconds) -%}
    timestamp '1970-01-01 00:00:00' + ({{ seconds }}) * interval '1 second'
{%- endmacro %}
