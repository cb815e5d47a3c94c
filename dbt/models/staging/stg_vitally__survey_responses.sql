{{
    vitally.staged("survey_responses", [
        ("id", "text", "survey_response_id"),
        ("surveyId", "text", "survey_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("respondedAt", "timestamp", "responded_at"),
        ("userId", "text", "user_id"),
        ("accountId", "text", "account_id"),
        ("organizationId", "text", "organization_id"),
        ("title", "text", "title"),
        ("body", "text", "body"),
        ("questionResponses", "json", "question_responses"),
    ])
}}
