{{
    vitally.staged("organization_conversations", [
        ("parentOrganizationId", "text", "organization_id"),
        ("id", "text", "conversation_id"),
    ], ["parentOrganizationId", "id"])
}}
