{{
    vitally.staged("projects", [
        ("id", "text", "project_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("archivedAt", "timestamp", "archived_at"),
        ("accountId", "text", "account_id"),
        ("organizationId", "text", "organization_id"),
        ("name", "text", "name"),
        ("templateId", "text", "project_template_id"),
        ("projectCategoryId", "text", "project_category_id"),
        ("projectStatusId", "text", "project_status_id"),
        ("ownedByVitallyUserId", "text", "owned_by_id"),
        ("durationInDays", "number", "duration_in_days"),
        ("targetStartDate", "date", "target_start_date"),
        ("targetCompletionDate", "date", "target_completion_date"),
        ("actualStartDate", "date", "actual_start_date"),
        ("actualCompletionDate", "date", "actual_completion_date"),
        ("traits", "json", "traits"),
    ])
}}
