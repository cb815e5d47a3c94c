{{
    vitally.staged("notes", [
        ("id", "text", "note_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("archivedAt", "timestamp", "archived_at"),
        ("externalId", "text", "external_id"),
        ("accountId", "text", "account_id"),
        ("organizationId", "text", "organization_id"),
        ("subject", "text", "subject"),
        ("note", "text", "body"),
        ("noteDate", "timestamp", "noted_at"),
        ("meetingDescription", "text", "meeting_description"),
        ("authorId", "text", "author_id"),
        ("categoryId", "text", "note_category_id"),
        ("tags", "json", "tags"),
        ("users", "json", "users"),
        ("source", "text", "source"),
        ("traits", "json", "traits"),
        ("userIds", "json", "user_ids"),
    ])
}}
