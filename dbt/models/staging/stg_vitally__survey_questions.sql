{{
    vitally.staged("survey_questions", [
        ("id", "text", "survey_question_id"),
        ("surveyId", "text", "survey_id"),
        ("title", "text", "title"),
        ("body", "text", "body"),
        ("type", "text", "answer_type"),
        ("isRequired", "boolean", "is_required"),
    ])
}}
