{#-
    A number that is 0 where a left join found nothing, and null where nobody read what would tell.

    `needs` lists what has to be in the warehouse: a stream, or a property of one as stream.property, with
    | between those of which one is enough. `otherwise` is the value where something is lacking.
-#}
{% macro counted(value, needs, otherwise=none) %}
    {%- set lacking = [] -%}
    {%- for need in needs -%}
        {%- set found = [] -%}
        {%- for way in need.split("|") -%}
            {%- set stream, _, column = way.partition(".") -%}
            {%- set table = vitally.table_of(stream) -%}
            {%- if table is not none and (
                not column or vitally.spelled_alike(column) in vitally.columns_of(table)
            ) -%}
                {%- do found.append(way) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if not found -%} {%- do lacking.append(need) -%} {%- endif -%}
    {%- endfor -%}
    {%- if lacking -%} {{ return(otherwise or "case when 1 = 0 then " ~ value ~ " end") }} {%- endif -%}
    {{ return("coalesce(" ~ value ~ ", 0)") }}
{% endmacro %}


{#- What `counted` needs to know the accounts of users or of conversations, or the health of accounts. -#}
{% macro links_of_users() %}{{ return("users.accountIds|users.accounts") }}{% endmacro %}

{% macro links_of_conversations() %}
    {{ return("account_conversations|messages.conversationAccountIds") }}
{% endmacro %}

{% macro health_of_accounts() %}
    {{ return("accounts.healthScore|account_health_scores.breakdown") }}
{% endmacro %}
