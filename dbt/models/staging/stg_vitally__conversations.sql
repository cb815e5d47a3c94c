{{
    vitally.staged("conversations", [
        ("id", "text", "conversation_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("externalId", "text", "external_id"),
        ("externalUrl", "text", "external_url"),
        ("subject", "text", "subject"),
        ("status", "text", "status"),
        ("rating", "text", "rating"),
        ("source", "text", "source"),
        ("traits", "json", "traits"),
        ("accountIds", "json", "account_ids"),
    ])
}}
