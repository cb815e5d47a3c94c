{{
    vitally.staged("custom_object_instances", [
        ("id", "text", "custom_object_instance_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("archivedAt", "timestamp", "archived_at"),
        ("externalId", "text", "external_id"),
        ("customObjectId", "text", "custom_object_id"),
        ("name", "text", "name"),
        ("customerId", "text", "account_id"),
        ("customers", "json", "customers"),
        ("organizationId", "text", "organization_id"),
        ("createdByVitallyUserId", "text", "created_by_id"),
        ("ownedByVitallyUserId", "text", "owned_by_id"),
        ("descriptionBody", "json", "description_body"),
        ("traits", "json", "traits"),
        ("accountIds", "json", "account_ids"),
    ])
}}
