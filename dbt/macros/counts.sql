{#-
    A number that is 0 where a left join found nothing, and null where nobody read what would tell.

    `needs` lists what has to be in the warehouse: a stream, or a property of one as stream.property, with
    | between those of which one is enough. `otherwise` is the value where something is lacking. `of` is the
    relation of the query whose workspace counts, where several relations have one.
-#}
{% macro counted(value, needs, of=none, otherwise=none) %}
    {%- set known = "coalesce(" ~ value ~ ", 0)" -%}
    {%- set unknown = otherwise or "case when 1 = 0 then " ~ value ~ " end" -%}
    {%- set tell = [] -%}
    {%- for each in vitally.workspaces() if vitally.is_told(each["name"], needs) -%}
        {%- do tell.append(vitally.text_literal(each["name"])) -%}
    {%- endfor -%}
    {%- if tell | length == vitally.workspaces() | length -%} {{ return(known) }}
    {%- elif not tell -%} {{ return(unknown) }}
    {%- endif -%}
    {%- set workspace = of ~ ".source_relation" if of else "source_relation" -%}
    {{ return(
        "case when " ~ workspace ~ " in (" ~ tell | join(", ") ~ ") then " ~ known
        ~ (" else " ~ otherwise if otherwise else "") ~ " end"
    ) }}
{% endmacro %}


{#- Whether the tables of a workspace have all that a number needs. -#}
{% macro is_told(workspace, needs) %}
    {%- for need in needs -%}
        {%- set found = [] -%}
        {%- for way in need.split("|") -%}
            {%- set stream, _, column = way.partition(".") -%}
            {%- set table = vitally.tables_of(stream).get(workspace) -%}
            {%- if table is not none and (
                not column or vitally.property_of(vitally.columns_of(table), column)
            ) -%}
                {%- do found.append(way) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if not found -%} {{ return(false) }} {%- endif -%}
    {%- endfor -%}
    {{ return(true) }}
{% endmacro %}


{#- What `counted` needs to know the accounts of users or of conversations, or the health of accounts. -#}
{% macro links_of_users() %}{{ return("users.accountIds|users.accounts") }}{% endmacro %}

{% macro links_of_conversations() %}
    {{ return("account_conversations|messages.conversationAccountIds") }}
{% endmacro %}

{% macro health_of_accounts() %}
    {{ return("accounts.healthScore|account_health_scores.breakdown") }}
{% endmacro %}


{#- A part in percent of a whole, to one decimal; null where the whole is nothing. -#}
{% macro percent(part, whole) -%}
    round(cast(100.0 * {{ part }} / nullif({{ whole }}, 0) as {{ dbt.type_numeric() }}), 1)
{%- endmacro %}
