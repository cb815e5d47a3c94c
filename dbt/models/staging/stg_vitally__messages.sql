{{
    vitally.staged("messages", [
        ("id", "text", "message_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("externalId", "text", "external_id"),
        ("externalUrl", "text", "external_url"),
        ("conversationId", "text", "conversation_id"),
        ("conversationUpdatedAt", "timestamp", "conversation_updated_at"),
        ("conversationAccountIds", "json", "conversation_account_ids"),
        ("conversationUserIds", "json", "conversation_user_ids"),
        ("conversationAdminIds", "json", "conversation_admin_ids"),
        ("type", "text", "direction"),
        ("message", "text", "body"),
        ("timestamp", "timestamp", "sent_at"),
        ("from", "json", "sender"),
        ("to", "json", "recipients"),
        ("cc", "json", "cc_recipients"),
        ("bcc", "json", "bcc_recipients"),
    ])
}}
