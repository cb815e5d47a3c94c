{#-
    End the build for a var that the package does not know, which would change nothing and say nothing:
    one of its own, or any other whose name begins as theirs do.
-#}
{% macro check_vars() %}
    {%- if not execute -%} {{ return("") }} {%- endif -%}
    {%- set streams = graph.sources.values() | selectattr("package_name", "equalto", "vitally") | map(attribute="name") | list -%}
    {%- set known = [
        "vitally_schema", "vitally_database", "vitally_loaded_at", "vitally__accounts_required", "vitally__traits",
        "vitally__poor_health_below", "vitally__good_health_from", "vitally__stuck_after_hours",
        "vitally__quiet_after_days", "vitally__as_of", "vitally__largest_loss", "vitally__partial_streams",
        "vitally_sources", "vitally__columns", "vitally__history_gap_days",
    ] -%}
    {%- for stream in streams -%}
        {%- do known.extend(["vitally__using_" ~ stream, "vitally_" ~ stream ~ "_identifier"]) -%}
        {%- if var("vitally__using_" ~ stream, none) not in (none, true, false) -%}
            {{ exceptions.raise_compiler_error("vitally__using_" ~ stream ~ " is neither true nor false") }}
        {%- endif -%}
    {%- endfor -%}
    {#- Fusion does not tell what dbt_project.yml says, only what the command does. -#}
    {%- set everywhere = adapter.config.vars.to_dict() if adapter.config is defined else {} -%}
    {%- set given = (everywhere.get("vitally") or {}).keys() | list -%}
    {%- for name in (everywhere.keys() | list) + (invocation_args_dict.get("vars") or {}).keys() | list -%}
        {%- if modules.re.match("vit+al+y_", name | lower) -%} {%- do given.append(name) -%} {%- endif -%}
    {%- endfor -%}
    {%- set misspelt = [] -%}
    {%- for name in given | unique if name not in known -%}
        {%- do misspelt.append(name ~ " (did you mean " ~ vitally.nearest(name, known) ~ "?)") -%}
    {%- endfor -%}
    {%- if misspelt -%}
        {{ exceptions.raise_compiler_error("The package vitally has no var " ~ misspelt | join(", ")) }}
    {%- endif -%}
    {%- set with_traits = [
        "accounts", "organizations", "users", "conversations", "tasks", "projects", "notes", "meetings", "custom_object_instances",
    ] -%}
    {%- for variable, tables in {"vitally__traits": with_traits, "vitally__columns": streams}.items() -%}
        {%- for table in var(variable, {}) if table not in tables -%}
            {{ exceptions.raise_compiler_error(variable ~ " knows no table " ~ table ~ ", only " ~ tables | join(", ")) }}
        {%- endfor -%}
    {%- endfor -%}
    {%- set names = [] -%}
    {%- for each in var("vitally_sources", none) or [] -%}
        {%- if each is not mapping or not each.get("schema") or each.keys() | reject("in", ["name", "schema", "database"]) | list -%}
            {{ exceptions.raise_compiler_error("vitally_sources: " ~ each ~ " is not {schema, name, database}; name and database may be left out") }}
        {%- endif -%}
        {%- do names.append(each.get("name") or each["schema"]) -%}
    {%- endfor -%}
    {%- if names | unique(case_sensitive=true) | list | length < names | length -%}
        {{ exceptions.raise_compiler_error("vitally_sources: two workspaces have one name; give each a name of its own") }}
    {%- endif -%}
{% endmacro %}


{#- The one of some names that begins and ends most like a name. -#}
{% macro nearest(name, known) %}
    {%- set best = namespace(name=known[0], score=-1) -%}
    {%- for other in known -%}
        {%- set same = namespace(score=0, left=true, right=true) -%}
        {%- for i in range([name | length, other | length] | min) -%}
            {%- set same.left = same.left and name[i] == other[i] -%}
            {%- set same.right = same.right and name[-1 - i] == other[-1 - i] -%}
            {%- set same.score = same.score + (1 if same.left else 0) + (1 if same.right else 0) -%}
        {%- endfor -%}
        {%- set score = same.score - (name | length - other | length) | abs -%}
        {%- if score > best.score -%} {%- set best.name = other -%} {%- set best.score = score -%} {%- endif -%}
    {%- endfor -%}
    {{ return(best.name) }}
{% endmacro %}
