{#-
    What the var vitally__columns says of a table: the name of each column, its type, and the property or the
    expression over the loader's columns that it is made of.
-#}
{% macro columns_chosen_of(table, names=[]) %}
    {%- set found = [] -%}
    {%- set taken = names | list -%}
    {%- for chosen in var("vitally__columns", {}).get(table, []) -%}
        {%- set how = {"column": chosen} if chosen is string else chosen -%}
        {%- set made_of = how["column"] or how["expression"] if how is mapping else none -%}
        {%- if not made_of or how.keys() | reject("in", ["column", "expression", "name", "type"]) | list or how.keys() | length > 3
            or not how["column"] and not how["name"] or how["column"] and how["expression"] -%}
            {{ exceptions.raise_compiler_error(
                "vitally__columns of " ~ table ~ ": " ~ chosen ~ " is neither a column, {column, name, type} nor {expression, name, type}"
            ) }}
        {%- elif how.get("type", "text") not in vitally.types() -%}
            {{ exceptions.raise_compiler_error(
                "vitally__columns of " ~ table ~ ": there is no type " ~ how["type"] ~ "; the types are " ~ vitally.types() | join(", ")
            ) }}
        {%- endif -%}
        {%- set name = (how["name"] or vitally.snake_case(how["column"])) | lower -%}
        {%- do vitally.check_column("vitally__columns", table, made_of, name, taken) -%}
        {%- do taken.append(name) -%}
        {%- do found.append({
            "name": name, "type": how.get("type", "text"), "column": how["column"], "expression": how["expression"],
        }) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}


{#- The types that a column or a trait can be given. -#}
{% macro types() %}{{ return(["text", "number", "boolean", "date", "timestamp", "json"]) }}{% endmacro %}


{#- End the build where a column that a var names cannot have its name. -#}
{% macro check_column(variable, table, made_of, name, taken) %}
    {%- if not modules.re.match("[A-Za-z_][A-Za-z0-9_]*$", name) -%}
        {{ exceptions.raise_compiler_error(
            variable ~ " of " ~ table ~ ": " ~ name ~ " cannot be the name of a column: use letters, digits and _"
        ) }}
    {%- elif name | lower in taken or name | lower in model.get("columns", {}) -%}
        {{ exceptions.raise_compiler_error(
            variable ~ " of " ~ table ~ ": there is a column " ~ name ~ " already; give " ~ made_of ~ " another name"
        ) }}
    {%- endif -%}
{% endmacro %}


{#-
    The columns that follow those of the package in a staging model: the value of each in each workspace, by
    name. They are those that vitally__columns names, and those of traits that the tap has made.
-#}
{% macro added_columns(stream, tables) %}
    {%- set added = {} -%}
    {%- for how in vitally.columns_chosen_of(stream) -%}
        {%- set values = {"": "cast(null as " ~ vitally.type_of(how["type"]) ~ ")"} -%}
        {%- for workspace, table in tables.items() -%}
            {%- set property = vitally.property_of(vitally.columns_of(table), how["column"] or "_") -%}
            {%- if how["expression"] -%}
                {%- do values.update({workspace: "cast((" ~ how["expression"] ~ ") as " ~ vitally.type_of(how["type"]) ~ ")"}) -%}
            {%- elif property -%}
                {%- do values.update({workspace: vitally.typed(property.value, how["type"], property.type)}) -%}
            {%- else -%}
                {%- do values.update({workspace: values[""]}) -%}
                {%- do exceptions.warn("vitally__columns of " ~ stream ~ ": " ~ table ~ " has no column " ~ how["column"] ~ ", which is null there") -%}
            {%- endif -%}
        {%- endfor -%}
        {%- do added.update({how["name"]: values}) -%}
    {%- endfor -%}
    {%- set traits = {} -%}
    {%- for workspace, table in tables.items() -%}
        {%- for column in vitally.trait_columns_of(table) if column.name | lower not in added -%}
            {%- do traits.setdefault(column.name | lower, {}).update({workspace: column}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for name, columns in traits.items() -%}
        {%- set types = columns.values() | map(attribute="data_type") | unique | list -%}
        {%- set type = types[0] if types | length == 1 else vitally.type_of("text") -%}
        {%- set values = {} -%}
        {%- for workspace in tables -%}
            {%- set column = columns.get(workspace) -%}
            {%- set value = adapter.quote(column.name) if column -%}
            {%- do values.update({
                workspace: "cast(null as " ~ type ~ ")" if not column else value if types | length == 1
                else vitally.typed(value, "text", column.data_type)
            }) -%}
        {%- endfor -%}
        {%- do added.update({name: values}) -%}
    {%- endfor -%}
    {{ return(added) }}
{% endmacro %}
