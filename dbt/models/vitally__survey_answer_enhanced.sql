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
inner join {{ ref("stg_vitally__survey_responses") }} as responses
    on
        answers.source_relation = responses.source_relation
        and answers.survey_response_id = responses.survey_response_id
left join {{ ref("stg_vitally__survey_questions") }} as questions
    on
        answers.source_relation = questions.source_relation
        and answers.survey_question_id = questions.survey_question_id
left join {{ ref("stg_vitally__users") }} as users
    on
        responses.source_relation = users.source_relation
        and responses.user_id = users.user_id
left join {{ ref("stg_vitally__accounts") }} as accounts
    on
        responses.source_relation = accounts.source_relation
        and responses.account_id = accounts.account_id
left join {{ ref("stg_vitally__organizations") }} as organizations
    on
        responses.source_relation = organizations.source_relation
        and coalesce(responses.organization_id, accounts.organization_id) = organizations.organization_id
