{{
    vitally.staged("nps_responses", [
        ("id", "text", "nps_response_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("externalId", "text", "external_id"),
        ("target", "text", "target"),
        ("userId", "text", "user_id"),
        ("score", "number", "score"),
        ("feedback", "text", "feedback"),
        ("respondedAt", "timestamp", "responded_at"),
        ("dismissedAt", "timestamp", "dismissed_at"),
    ])
}}
