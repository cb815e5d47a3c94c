{#-
    How the tables of a workspace come together. What is joined is a model, a query in parentheses, or, where
    none is given, the part of the query that has the name; a key is given with the name it belongs to.
-#}

{#- Set beside rows those of the same workspace that a key names, or null. -#}
{% macro left_join(key, other_key, relation=none) -%}
    left join {{ vitally.joined(key, other_key, relation) }}
{%- endmacro %}


{#- Keep of rows those whose key names rows of the same workspace. -#}
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


{#- Set beside rows, as `deleted`, what is known of the records of a stream that are gone from Vitally. -#}
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
    What records are linked to by a table of links: how many records of a stream that are not deleted, the
    least of their ids, and their names. `noun` is what the columns call one of these.
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


{#- How many users that are neither deleted nor deactivated accounts have, or organizations. -#}
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


{#- How many conversations that are not deleted accounts have, or organizations. -#}
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
