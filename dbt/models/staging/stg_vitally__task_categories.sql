{{
    vitally.staged("task_categories", [
        ("id", "text", "task_category_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("name", "text", "name"),
    ])
}}
