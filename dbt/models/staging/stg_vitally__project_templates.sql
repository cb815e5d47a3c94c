{{
    vitally.staged("project_templates", [
        ("id", "text", "project_template_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("name", "text", "name"),
        ("projectName", "text", "project_name"),
        ("description", "text", "description"),
        ("projectCategoryId", "text", "project_category_id"),
        ("traits", "json", "traits"),
    ])
}}
