{#- A trait as a column of a type; null for a value of another type. -#}
{% macro trait(traits, path, type="text") -%}
    {%- set value = vitally.json_member(traits, path) -%}
    {%- set text = vitally.json_text(value) -%}
    {%- if type == "json" -%} {{ value }}
    {%- elif type in ("date", "timestamp") -%} cast({{ vitally.trait_moment(value) }} as {{ vitally.type_of(type) }})
    {%- elif type == "text" -%}
    case when {{ vitally.json_type(value) }} in ('text', 'number', 'boolean') then {{ vitally.from_text(text, type) }} end
    {%- else -%}
    case when {{ vitally.json_type(value) }} = '{{ type }}' then {{ vitally.from_text(text, type) }} end
    {%- endif -%}
{%- endmacro %}


{#- The moment that a trait names, as text or as an epoch. -#}
{% macro trait_moment(value) -%}
    {%- set text = vitally.json_text(value) -%}
    case {{ vitally.json_type(value) }}
        when 'text' then {{ vitally.as_timestamp(text) }}
        when 'number' then {{ vitally.moment_of_number(vitally.from_text(text, "number")) }}
    end
{%- endmacro %}


{#-
    What the var vitally__traits says of a table: the path of each trait, its type and the name of its
    column. Paths that would share a name get a suffix that depends on the path alone.
-#}
{% macro traits_chosen_of(table) %}
    {%- set found = [] -%}
    {%- set uses = [] -%}
    {%- for chosen in var("vitally__traits", {}).get(table, []) -%}
        {%- set how = {"path": chosen} if chosen is string else chosen -%}
        {%- if how is not mapping or how["path"] is not string or how.keys() | reject("in", ["path", "name", "type"]) | list -%}
            {{ exceptions.raise_compiler_error(
                "vitally__traits of " ~ table ~ ": " ~ chosen ~ " is neither a path nor {path, name, type}"
            ) }}
        {%- elif how.get("type", "text") not in vitally.types() -%}
            {{ exceptions.raise_compiler_error(
                "vitally__traits of " ~ table ~ ": there is no type " ~ how["type"]
                ~ "; the types are " ~ vitally.types() | join(", ")
            ) }}
        {%- endif -%}
        {%- set trait = {
            "path": how["path"], "type": how.get("type", "text"), "chosen": how.get("name"),
            "name": how.get("name") or "trait_" ~ vitally.snake_case(how["path"]),
        } -%}
        {%- if trait not in found -%}
            {%- do found.append(trait) -%}
            {%- do uses.append(trait["name"] | lower) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set names = [] -%}
    {%- for trait in found -%}
        {%- set name = trait["name"] -%}
        {%- if not trait["chosen"] and (uses.count(name) > 1 or name == "trait_" or name | length > 63) -%}
            {%- do trait.update({"name": name[:54].rstrip("_") ~ "_" ~ local_md5(trait["path"])[:8]}) -%}
        {%- endif -%}
        {%- do vitally.check_column("vitally__traits", table, trait["path"], trait["name"], names) -%}
        {%- do names.append(trait["name"] | lower) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- A path of a trait as the tap spells it in the columns of trait_columns. -#}
{% macro snake_case(path) %}
    {%- set words = modules.re.sub("([a-z0-9])([A-Z])", "\\1_\\2", path) -%}
    {%- set plain = modules.re.sub("[^a-z0-9]+", "_", words | lower).strip("_") -%}
    {{ return(modules.re.sub("^vitally_custom_", "", plain)) }}
{% endmacro %}


{#- Columns of a relation that the tap's setting trait_columns has made; their names begin with trait_. -#}
{% macro trait_columns_of(relation) %}
    {%- set found = [] -%}
    {%- set columns = adapter.get_columns_in_relation(relation) if relation else [] -%}
    {%- for column in columns if column.name.lower().startswith("trait_") -%}
        {%- do found.append(column) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#-
    The columns of an enhanced model that the package does not know: those that the vars vitally__traits and
    vitally__columns name, and of the traits that the tap has made columns of, the others.
-#}
{% macro added_columns_of(table) %}
    {%- set chosen = vitally.traits_chosen_of(table) -%}
    {%- for how in chosen -%}
        , {{ vitally.trait(table ~ ".traits", how["path"], how["type"]) }} as {{ how["name"] }}
    {% endfor -%}
    {%- set names = chosen | map(attribute="name") | map("lower") | list -%}
    {%- for how in vitally.columns_chosen_of(table, names) -%}
        , {{ table }}.{{ how["name"] }}
        {%- do names.append(how["name"]) %}
    {% endfor -%}
    {%- set staging = load_relation(ref("stg_vitally__" ~ table)) if execute -%}
    {%- for column in vitally.trait_columns_of(staging) if column.name | lower not in names -%}
        , {{ table }}.{{ column.name | lower }}
    {% endfor -%}
{% endmacro %}
