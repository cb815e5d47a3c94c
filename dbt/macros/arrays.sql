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

{# Not tested. #}
{% macro snowflake__elements_of(relation, keep, array) -%}
    select
        {{ keep | join(", ") }},
        element.value as item,
        element.index + 1 as position
    from {{ relation }},
        lateral flatten(input => case when is_array({{ array }}) then {{ array }} end) as element
{%- endmacro %}

{# Not tested. #}
{% macro bigquery__elements_of(relation, keep, array) -%}
    select
        {{ keep | join(", ") }},
        item,
        element_offset + 1 as position
    from {{ relation }}
    cross join
        unnest(case when json_type({{ array }}) = 'array' then json_query_array({{ array }}) end) as item
        with offset as element_offset
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

{# Not tested. #}
{% macro snowflake__members_of(relation, keep, object) -%}
    select
        {{ keep | join(", ") }},
        member.key as name,
        member.value as item
    from {{ relation }},
        lateral flatten(input => case when is_object({{ object }}) then {{ object }} end) as member
{%- endmacro %}

{# Not tested. #}
{% macro bigquery__members_of(relation, keep, object) -%}
    select
        {{ keep | join(", ") }},
        name,
        {{ object }}[name] as item
    from {{ relation }}
    cross join
        unnest(case when json_type({{ object }}) = 'object' then json_keys({{ object }}, 1) end) as name
{%- endmacro %}


{#-
    What the rows of a relation are linked to: the ids in an array of ids, or, where that is missing or
    empty, those of the objects in another array.
-#}
{% macro links_of(relation, key, ids, objects, link) -%}
    {%- set array = "case when " ~ vitally.json_length(ids) ~ " > 0 then " ~ ids ~ " else " ~ objects ~ " end" -%}
    select distinct
        {{ key }},
        case
            when {{ vitally.json_type("item") }} = 'text' then {{ vitally.json_text("item") }}
            else {{ vitally.json_text(vitally.json_member("item", "id")) }}
        end as {{ link }}
    from (
        {{ vitally.elements_of("(select " ~ key ~ ", " ~ array ~ " as links from " ~ relation ~ ") as linked", [key], "links") }}
    ) as elements
    where case
        when {{ vitally.json_type("item") }} = 'text' then {{ vitally.json_text("item") }}
        else {{ vitally.json_text(vitally.json_member("item", "id")) }}
    end is not null
{%- endmacro %}


{#- A trait as a column of a type. -#}
{% macro trait(traits, path, type="text") -%}
    {%- set value = vitally.json_member(traits, path) -%}
    {%- set text = vitally.json_text(value) -%}
    {%- if type == "text" -%} {{ text }}
    {%- elif type == "date" -%} cast({{ vitally.trait_moment(value) }} as date)
    {%- elif type == "timestamp" -%} {{ vitally.trait_moment(value) }}
    {%- else -%}
    case when {{ vitally.json_type(value) }} = '{{ type }}' then cast({{ text }} as {{ vitally.type_of(type) }}) end
    {%- endif -%}
{%- endmacro %}


{#- The moment that a trait names, as text or as an epoch: 9 to 11 digits are seconds, 12 to 14 milliseconds. -#}
{% macro trait_moment(value) -%}
    {%- set text = vitally.json_text(value) -%}
    case
        when {{ vitally.json_type(value) }} = 'text' then {{ vitally.as_timestamp(text) }}
        when {{ vitally.json_type(value) }} = 'number' and {{ text }} like '____________%' and {{ text }} not like '_______________%'
            then {{ vitally.moment_of_epoch("cast(" ~ text ~ " as " ~ dbt.type_numeric() ~ ") / 1000") }}
        when {{ vitally.json_type(value) }} = 'number' and {{ text }} like '_________%' and {{ text }} not like '____________%'
            then {{ vitally.moment_of_epoch("cast(" ~ text ~ " as " ~ dbt.type_numeric() ~ ")") }}
    end
{%- endmacro %}


{#- The traits of a table that the var vitally__traits names, as columns. -#}
{% macro chosen_traits(table, traits="traits") %}
    {%- for how in vitally.traits_chosen_of(table) -%}
        , {{ vitally.trait(traits, how["path"], how["type"]) }} as {{ how["name"] }}
    {% endfor -%}
{% endmacro %}


{#- What the var vitally__traits says of a table: the path of each trait, its type and the name of its column. -#}
{% macro traits_chosen_of(table) %}
    {%- set found = [] -%}
    {%- for chosen in var("vitally__traits").get(table, []) -%}
        {%- set how = {"path": chosen} if chosen is string else chosen -%}
        {%- set name = how.get("name") or "trait_" ~ vitally.snake_case(how["path"]) -%}
        {%- do found.append({"path": how["path"], "type": how.get("type", "text"), "name": name}) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- A path of a trait as the tap spells it in the columns of trait_columns. -#}
{% macro snake_case(path) %}
    {%- set words = modules.re.sub("([a-z0-9])([A-Z])", "\\1_\\2", path) -%}
    {%- set plain = modules.re.sub("[^a-z0-9]+", "_", words | lower).strip("_") -%}
    {{ return(modules.re.sub("^vitally_custom_", "", plain)) }}
{% endmacro %}


{#- The columns of traits of an enhanced model: those that the var names, and of the tap's the others. -#}
{% macro traits_of(table) %}
    {{- vitally.chosen_traits(table, table ~ ".traits") -}}
    {%- set chosen = vitally.traits_chosen_of(table) | map(attribute="name") | map("lower") | list -%}
    {%- set own = vitally.trait_columns_of(vitally.columns_of(vitally.table_of(table))) -%}
    {%- for column in own if column.name | lower not in chosen -%}
        , {{ table }}.{{ column.name | lower }}
    {% endfor -%}
{% endmacro %}
