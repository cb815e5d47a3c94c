select
    answers.survey_response_id,
    answers.answer_number,
    responses.survey_id,
    responses.title as survey_title,
    answers.survey_question_id,
    questions.title as question_title,
    coalesce(questions.answer_type, answers.answer_type) as answer_type,
    questions.is_required,
    answers.value_text,
    answers.value_number,
    answers.value_at,
    responses.responded_at,
    responses.user_id,
    users.name as user_name,
    users.email as user_email,
    responses.account_id,
    accounts.name as account_name,
    coalesce(responses.organization_id, accounts.organization_id) as organization_id,
    organizations.name as organization_name,
    answers.source_relation
from {{ ref("stg_vitally__survey_answers") }} as answers
{{ vitally.inner_join(
    "answers.survey_response_id", "responses.survey_response_id", ref("stg_vitally__survey_responses")
) }}
{{ vitally.left_join(
    "answers.survey_question_id", "questions.survey_question_id", ref("stg_vitally__survey_questions")
) }}
{{ vitally.left_join("responses.user_id", "users.user_id", ref("stg_vitally__users")) }}
{{ vitally.left_join("responses.account_id", "accounts.account_id", ref("stg_vitally__accounts")) }}
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        responses.source_relation = organizations.source_relation
        and coalesce(responses.organization_id, accounts.organization_id) = organizations.organization_id
