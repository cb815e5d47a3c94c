{#-
    Joins within a workspace. A key is given with the alias of its table. What is joined is a model or a query in
    parentheses, or, where none is given, the part of the query whose name the second key has.
-#}

{#- Keep rows whose key finds nothing, with null. -#}
{% macro left_join(key, other_key, relation=none) -%}
    left join {{ vitally.joined(key, other_key, relation) }}
{%- endmacro %}


{#- Leave out rows whose key finds nothing. -#}
{% macro inner_join(key, other_key, relation=none) -%}
    inner join {{ vitally.joined(key, other_key, relation) }}
{%- endmacro %}


{% macro joined(key, other_key, relation=none) -%}
    {%- set rows, other = key.split(".")[0], other_key.split(".")[0] -%}
    {{ other if relation is none else relation ~ " as " ~ other }}
    on
        {{ rows }}.source_relation = {{ other }}.source_relation
        and {{ key }} = {{ other_key }}
{%- endmacro %}


{#- Join, as `deleted`, the records of a stream that are gone from Vitally. -#}
{% macro join_deleted(stream, key) -%}
    {{ vitally.left_join(key, "deleted.record_id", ref("vitally__deleted_records")) }}
        and deleted.stream_name = '{{ stream }}'
{%- endmacro %}


{#- The rows of a staging model whose records are not deleted in Vitally. -#}
{% macro not_deleted(stream) -%}
(
    select records.*
    from {{ ref("stg_vitally__" ~ stream) }} as records
    {{ vitally.join_deleted(stream, "records." ~ vitally.inventoried()[stream]) }}
    where deleted.record_id is null
)
{%- endmacro %}


{#-
    What the rows of a table of links lead to, by one of its keys: how many records of a stream that are not
    deleted, the least of their ids, and their names. `noun` is what columns call one of these records.
-#}
{% macro linked(links, key, stream, noun) -%}
    select
        links.source_relation,
        links.{{ key }},
        count(*) as {{ stream }}_count,
        min(links.{{ noun }}_id) as {{ noun }}_id,
        {{ vitally.list_of(stream ~ ".name") }} as {{ noun }}_names
    from {{ ref("stg_vitally__" ~ links) }} as links
    {{ vitally.left_join("links." ~ noun ~ "_id", stream ~ "." ~ noun ~ "_id", ref("stg_vitally__" ~ stream)) }}
    {{ vitally.join_deleted(stream, "links." ~ noun ~ "_id") }}
    where deleted.record_id is null
    group by
        links.source_relation,
        links.{{ key }}
{%- endmacro %}


{#- The number of users, neither deleted nor deactivated, of each account or organization. -#}
{% macro active_users_of(owner) -%}
    select
        links.source_relation,
        links.{{ owner }}_id,
        sum(case when {{ vitally.is_past("users.deactivated_at") }} then 0 else 1 end) as active_users_count
    from {{ ref("stg_vitally__user_" ~ owner ~ "s") }} as links
    {{ vitally.inner_join("links.user_id", "users.user_id", vitally.not_deleted("users")) }}
    group by
        links.source_relation,
        links.{{ owner }}_id
{%- endmacro %}


{#- The number of conversations, without deleted ones, of each account or organization. -#}
{% macro conversations_of(owner, links) -%}
    select
        links.source_relation,
        links.{{ owner }}_id,
        count(*) as conversations_count
    from {{ ref(links) }} as links
    {{ vitally.join_deleted("conversations", "links.conversation_id") }}
    where deleted.record_id is null
    group by
        links.source_relation,
        links.{{ owner }}_id
{%- endmacro %}
