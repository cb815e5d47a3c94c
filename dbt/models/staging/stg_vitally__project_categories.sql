{{
    vitally.staged("project_categories", [
        ("id", "text", "project_category_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("name", "text", "name"),
    ])
}}
