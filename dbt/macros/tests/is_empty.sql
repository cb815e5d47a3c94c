{#- Fails for every row of a model, or of what the test's `where` leaves of it. -#}
{% test is_empty(model) %}

select * from {{ model }}

{% endtest %}
