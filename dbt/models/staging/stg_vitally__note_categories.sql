{{
    vitally.staged("note_categories", [
        ("id", "text", "note_category_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("name", "text", "name"),
    ])
}}
