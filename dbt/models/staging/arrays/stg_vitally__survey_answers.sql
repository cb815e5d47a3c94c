{%- set data = vitally.json_member("item", "data") -%}
{%- set value = vitally.json_member(data, "value") -%}
select
    survey_response_id,
    position as answer_number,
    {{ vitally.json_text(vitally.json_member("item", "id")) }} as survey_answer_id,
    {{ vitally.json_text(vitally.json_member("item", "questionId")) }} as survey_question_id,
    {{ vitally.json_text(vitally.json_member(data, "type")) }} as answer_type,
    {{ vitally.from_text(vitally.json_text(value), "text") }} as value_text,
    case
        when {{ vitally.json_type(value) }} = 'number' then {{ vitally.from_text(vitally.json_text(value), "number") }}
    end as value_number,
    case
        when
            {{ vitally.json_type(value) }} = 'text'
            and {{ vitally.json_text(vitally.json_member(data, "type")) }} = 'date'
            then {{ vitally.as_timestamp(vitally.json_text(value)) }}
    end as value_at,
    source_relation
from (
    {{ vitally.elements_of(
        ref("stg_vitally__survey_responses"), ["source_relation", "survey_response_id"], "question_responses"
    ) }}
) as elements
