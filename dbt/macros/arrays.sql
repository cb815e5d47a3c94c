{#-
    Where warehouses differ: arrays and objects that become rows. Each macro is a whole query, with the
    columns `keep` of a relation and those of what stood in the array or object.
-#}

{#- The elements of an array, as `item` and `position`, from 1. -#}
{% macro elements_of(relation, keep, array) %}
    {{ return(adapter.dispatch("elements_of", "vitally")(relation, keep, array)) }}
{% endmacro %}

{% macro default__elements_of(relation, keep, array) -%}
    select
        {{ keep | join(", ") }},
        unnest(cast({{ array }} as json[])) as item,
        generate_subscripts(cast({{ array }} as json[]), 1) as position
    from {{ relation }}
    where {{ vitally.json_type(array) }} = 'array'
{%- endmacro %}

{% macro postgres__elements_of(relation, keep, array) -%}
    select
        {{ keep | join(", ") }},
        element.item,
        element.position
    from {{ relation }}
    cross join lateral
        jsonb_array_elements(
            case when jsonb_typeof({{ array }}) = 'array' then {{ array }} end
        ) with ordinality as element (item, position)
{%- endmacro %}


{#- The members of an object, as `name` and `item`. -#}
{% macro members_of(relation, keep, object) %}
    {{ return(adapter.dispatch("members_of", "vitally")(relation, keep, object)) }}
{% endmacro %}

{% macro default__members_of(relation, keep, object) -%}
    select
        {{ keep | join(", ") }},
        member.key as name,
        member.value as item
    from (
        select
            {{ keep | join(", ") }},
            unnest(map_entries(from_json({{ object }}, '"MAP(VARCHAR, JSON)"'))) as member
        from {{ relation }}
        where {{ vitally.json_type(object) }} = 'object'
    ) as members
{%- endmacro %}

{% macro postgres__members_of(relation, keep, object) -%}
    select
        {{ keep | join(", ") }},
        member.name,
        member.item
    from {{ relation }}
    cross join lateral
        jsonb_each(case when jsonb_typeof({{ object }}) = 'object' then {{ object }} end)
            as member (name, item)
{%- endmacro %}


{#- The parts of the values of a type, where a warehouse has one function for arrays and objects. -#}
{% macro exploded(relation, keep, value, type, columns, function) -%}
    select
        {{ keep | join(", ") }},
        {{ columns }}
    from {{ relation }},
        lateral {{ function }}case when {{ vitally.json_type(value) }} = '{{ type }}' then {{ value }} end) as part
{%- endmacro %}


{#-
    What the rows of a relation are linked to: the ids in an array of ids, or, where that is missing or
    empty, those of the objects in another array, if there is one. A link may be there twice.
-#}
{% macro links_of(relation, key, link, ids, objects=none) -%}
    {%- set either = "case when " ~ vitally.json_length(ids) ~ " > 0 then " ~ ids ~ " else " ~ objects ~ " end" -%}
    select
        {{ key }},
        {{ link }},
        source_relation
    from (
        select
            {{ key }},
            case
                when {{ vitally.json_type("item") }} = 'text' then {{ vitally.json_text("item") }}
                else {{ vitally.json_text(vitally.json_member("item", "id")) }}
            end as {{ link }},
            source_relation
        from (
            {{ vitally.elements_of(
                "(select source_relation, " ~ key ~ ", " ~ (either if objects else ids) ~ " as links from " ~ relation ~ ") as linked",
                ["source_relation", key], "links"
            ) }}
        ) as elements
    ) as links
    where
        {{ key }} is not null
        and {{ link }} is not null
{%- endmacro %}


{#- The values of a group as one text, in their order; null where there is none, where some warehouses have ''. -#}
{% macro list_of(value) %}{{ return("nullif(" ~ adapter.dispatch("joined_values", "vitally")(value) ~ ", '')") }}{% endmacro %}

{% macro default__joined_values(value) %}{{ return(dbt.listagg(value, "', '", "order by " ~ value)) }}{% endmacro %}
