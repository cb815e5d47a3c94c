{#- Fails for rows that have the values of several columns in common. -#}
{% test unique_combination(model, columns) %}

select
    {{ columns | join(",\n    ") }},
    count(*) as rows_count
from {{ model }}
group by {{ columns | join(", ") }}
having count(*) > 1

{% endtest %}
