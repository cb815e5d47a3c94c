{{
    vitally.staged("account_conversations", [
        ("parentAccountId", "text", "account_id"),
        ("id", "text", "conversation_id"),
    ], ["parentAccountId", "id"])
}}
