{#- What a warehouse calls the types that the package uses. -#}
{% macro type_of(type) %}
    {%- if type == "json" -%} {{ return(vitally.type_json()) }}
    {%- elif type == "timestamp" -%} {{ return(adapter.dispatch("type_moment", "vitally")()) }}
    {%- elif type == "integer" -%} {{ return(dbt.type_bigint()) }}
    {%- elif type == "number" -%} {{ return(adapter.dispatch("type_number", "vitally")()) }}
    {%- elif type == "double" -%} {{ return(vitally.type_double()) }}
    {%- elif type == "boolean" -%} {{ return(dbt.type_boolean()) }}
    {%- elif type == "date" -%} {{ return("date") }}
    {%- elif type == "text" -%} {{ return(dbt.type_string()) }}
    {%- else -%} {{ exceptions.raise_compiler_error("There is no type " ~ type) }}
    {%- endif -%}
{% endmacro %}


{% macro default__type_number() %}{{ return(dbt.type_numeric()) }}{% endmacro %}

{% macro default__type_moment() %}{{ return(dbt.type_timestamp()) }}{% endmacro %}

{% macro type_double() %}{{ return(adapter.dispatch("type_double", "vitally")()) }}{% endmacro %}

{% macro default__type_double() %}{{ return("double precision") }}{% endmacro %}


{#- What kind of type a column has: text, json, boolean, zoned, timestamp, date, number or other. -#}
{% macro kind_of(column_type) %}
    {%- set type = column_type | lower -%}
    {%- if "[" in type or "<" in type or type in ("array", "object") -%} {{ return("other") }}
    {%- elif "char" in type or type in ("text", "string") -%} {{ return("text") }}
    {%- elif type in ("json", "jsonb", "variant", "super") -%} {{ return("json") }}
    {%- elif type.startswith("bool") -%} {{ return("boolean") }}
    {%- elif "with time zone" in type or type.startswith(("timestamptz", "timestamp_tz", "timestamp_ltz"))
        or type in adapter.dispatch("zoned_types", "vitally")() -%}
        {{ return("zoned") }}
    {%- elif type.startswith(("timestamp", "datetime")) -%} {{ return("timestamp") }}
    {%- elif type == "date" -%} {{ return("date") }}
    {%- elif modules.re.match("(big|huge|small|tiny|u)*int(eger|[0-9])*$|float|double|real|dec|(big)?num", type) -%}
        {{ return("number") }}
    {%- endif -%}
    {{ return("other") }}
{% endmacro %}


{#- Names that a warehouse gives to moments, and others to what has no zone. -#}
{% macro default__zoned_types() %}{{ return([]) }}{% endmacro %}


{#- A value as it is in the warehouse, brought to a type of the package; null where it does not fit. -#}
{% macro typed(value, type, from_type="text") %}
    {%- set kind = vitally.kind_of(from_type) -%}
    {%- if type == "json" -%} {{ return(vitally.as_json(value, from_type)) }}
    {%- elif kind == "text" -%} {{ return(vitally.from_text(value, type)) }}
    {%- elif kind == "json" -%}
        {{ return(vitally.from_text(vitally.json_text(vitally.as_json(value, from_type)), type)) }}
    {%- elif type in ("timestamp", "date") and kind == "zoned" -%}
        {{ return("cast(" ~ vitally.moment_in_utc(value) ~ " as " ~ vitally.type_of(type) ~ ")") }}
    {%- elif type == "timestamp" and kind == "number" -%} {{ return(vitally.moment_of_number(value)) }}
    {%- elif type in ("number", "integer", "double") and kind == "number" -%}
        {{ return(vitally.within(value, type)) }}
    {#- Redshift casts no boolean to text. -#}
    {%- elif kind == "boolean" and type != kind -%}
        {{ return(vitally.from_text("case when " ~ value ~ " then 'true' when not " ~ value ~ " then 'false' end", type)) }}
    {%- elif type in ("text", kind) or type in ("timestamp", "date") and kind in ("timestamp", "date") -%}
        {{ return("cast(" ~ value ~ " as " ~ vitally.type_of(type) ~ ")") }}
    {%- endif -%}
    {{ return(vitally.from_text("cast(" ~ value ~ " as " ~ dbt.type_string() ~ ")", type)) }}
{% endmacro %}


{#-
    A text brought to a type; null for text that does not name a value of it. What fits is decided by
    patterns, which are the same everywhere: a cast that fails would end the build, and warehouses differ
    in what they cast. Empty text is null, as some loaders store the one and some the other.
-#}
{% macro from_text(value, type) -%}
    {%- set decimal = "cast(" ~ value ~ " as " ~ vitally.type_of("number") ~ ")" -%}
    {%- set double = "cast(" ~ value ~ " as " ~ vitally.type_double() ~ ")" -%}
    {%- if type == "text" -%} nullif(cast({{ value }} as {{ dbt.type_string() }}), '')
    {%- elif type == "date" -%} {{ vitally.as_date(value) }}
    {%- elif type == "timestamp" -%} {{ vitally.as_timestamp(value) }}
    {%- elif type == "boolean" -%}
    case when lower({{ value }}) in ('true', 't', '1') then true when lower({{ value }}) in ('false', 'f', '0') then false end
    {%- elif type == "double" -%}
    case when {{ vitally.is_double(value) }} then {{ vitally.within(double, type) }} end
    {%- else -%}
    case
        when {{ vitally.matches(value, vitally.patterns().decimal) }}
            then {{ vitally.within(decimal, type) if type == "integer" else decimal }}
        when {{ vitally.is_double(value) }}
            then {{ vitally.within(vitally.within(double, "number"), type) if type == "integer" else vitally.within(double, type) }}
    end
    {%- endif -%}
{%- endmacro %}


{#-
    Whether a text is a number that fits into a double. Its length is limited outside of the pattern: with
    {1,120} for both runs of digits, PostgreSQL took 20 times as long.
-#}
{% macro is_double(value) -%}
    length({{ value }}) <= 200 and {{ vitally.matches(value, vitally.patterns().double) }}
{%- endmacro %}


{#- A number as a type that holds it; null where it is too large, which NaN is to all warehouses. -#}
{% macro within(value, type) -%}
    {%- set limit = {"integer": "9.2e18", "number": "1e21", "double": "1e100"}[type] -%}
    case when {{ value }} > -{{ limit }} and {{ value }} < {{ limit }} then cast({{ value }} as {{ vitally.type_of(type) }}) end
{%- endmacro %}


{#- Patterns of whole texts, without a backslash, for which warehouses have rules of their own. -#}
{% macro patterns() %}
    {%- set year = "([0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)" -%}
    {%- set leap = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)" -%}
    {%- set long = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])" -%}
    {%- set short = "(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])" -%}
    {%- set day = "(" ~ year ~ "-(" ~ long ~ "|" ~ short ~ ")|" ~ leap ~ "-02-29)" -%}
    {%- set second = day ~ "[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]" -%}
    {{ return({
        "day": day,
        "utc": second ~ "(([.][0-9]{1,9})?Z?|[.][0-9]{6,9}[+-]00:?00)",
        "zoned": second ~ "([.][0-9]{1,9})?[+-](0[0-9]|1[0-4]):?[0-5][0-9]",
        "decimal": "-?([0-9]{1,21}([.][0-9]{1,16})?|[.][0-9]{1,16})",
        "double": "-?([0-9]+([.][0-9]+)?|[.][0-9]+)([eE][+-]?[0-9]{1,2})?",
    }) }}
{% endmacro %}


{#- Whether a text as a whole matches a pattern. -#}
{% macro matches(value, pattern) -%}
    {{ return(adapter.dispatch("matches", "vitally")(value, "^(" ~ pattern ~ ")$")) }}
{%- endmacro %}

{% macro default__matches(value, pattern) %}{{ return("regexp_like(" ~ value ~ ", '" ~ pattern ~ "')") }}{% endmacro %}

{% macro duckdb__matches(value, pattern) %}{{ return("regexp_matches(" ~ value ~ ", '" ~ pattern ~ "')") }}{% endmacro %}

{% macro postgres__matches(value, pattern) %}{{ return(value ~ " ~ '" ~ pattern ~ "'") }}{% endmacro %}


{#- The day that a text begins with, which is a date or a moment; null for other text. -#}
{% macro as_date(value) -%}
    {%- set known = vitally.patterns() -%}
    case
        when {{ vitally.matches(value, known.day ~ "|" ~ known.utc ~ "|" ~ known.zoned) }}
            then cast(substring({{ value }}, 1, 10) as date)
    end
{%- endmacro %}


{#-
    The moment that a text in RFC 3339 or a bare date names, in UTC; null for other text. The first 26
    characters hold microseconds: PostgreSQL would round what follows, up into the next day.
-#}
{% macro as_timestamp(value) -%}
    {%- set known = vitally.patterns() -%}
    case
        when {{ vitally.matches(value, known.day ~ "|" ~ known.utc) }}
            then cast(substring({{ value }}, 1, 26) as {{ vitally.type_of("timestamp") }})
        when
            {{ vitally.matches(value, known.zoned) }}
            and (substring({{ value }}, 1, 10) not in ('0001-01-01', '9999-12-31') or {{ value }} like '%00:00')
            then {{ vitally.moment_in_utc(value) }}
    end
{%- endmacro %}


{#- The moment in UTC of a timestamp with a zone, or of the text of one. -#}
{% macro moment_in_utc(value) -%}
    {{ return(adapter.dispatch("moment_in_utc", "vitally")(value)) }}
{%- endmacro %}

{% macro default__moment_in_utc(value) -%}
    cast(cast({{ value }} as timestamp with time zone) at time zone 'UTC' as timestamp)
{%- endmacro %}


{#- Not a cast to timestamp, which leaves out the zone from DuckDB 2 on. -#}
{% macro duckdb__moment_in_utc(value) -%}
    make_timestamp(epoch_us(cast({{ value }} as timestamp with time zone)))
{%- endmacro %}


{#- The moment that a number names: one of 9 to 11 digits counts seconds, one of 12 to 14 milliseconds. -#}
{% macro moment_of_number(value) -%}
    case
        when {{ value }} >= 1e8 and {{ value }} < 1e11 then {{ vitally.moment_of_epoch(value) }}
        when {{ value }} >= 1e11 and {{ value }} < 1e14 then {{ vitally.moment_of_epoch(value ~ " / 1000.0") }}
    end
{%- endmacro %}


{#- The moment that a number of seconds since 1970 names, in UTC. -#}
{% macro moment_of_epoch(seconds) -%}
    {{ return(adapter.dispatch("moment_of_epoch", "vitally")(seconds)) }}
{%- endmacro %}

{% macro default__moment_of_epoch(seconds) -%}
    cast(to_timestamp({{ seconds }}) at time zone 'UTC' as timestamp)
{%- endmacro %}

{% macro duckdb__moment_of_epoch(seconds) -%}
    make_timestamp(cast(({{ seconds }}) * 1000000 as bigint))
{%- endmacro %}


{#- The moment that "overdue" and "days since" refer to. -#}
{% macro as_of() -%}
    cast('{{ var("vitally__as_of") or run_started_at.strftime("%Y-%m-%d %H:%M:%S") }}' as {{ vitally.type_of("timestamp") }})
{%- endmacro %}


{#- A day as text, such as 2026-01-31. -#}
{% macro day_text(day) -%} {{ return(adapter.dispatch("day_text", "vitally")(day)) }} {%- endmacro %}

{% macro default__day_text(day) -%} cast({{ day }} as {{ dbt.type_string() }}) {%- endmacro %}


{#- Which of the three bands a health score is in. -#}
{% macro health_band(score) -%}
    case
        when {{ score }} < {{ var("vitally__poor_health_below") }} then 'poor'
        when {{ score }} < {{ var("vitally__good_health_from") }} then 'average'
        when {{ score }} is not null then 'good'
        else 'unknown'
    end
{%- endmacro %}
