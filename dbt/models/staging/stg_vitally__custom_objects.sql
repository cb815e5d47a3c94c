{{
    vitally.staged("custom_objects", [
        ("id", "text", "custom_object_id"),
        ("createdAt", "timestamp", "created_at"),
        ("updatedAt", "timestamp", "updated_at"),
        ("name", "text", "name"),
        ("label", "text", "label"),
        ("syncActive", "boolean", "is_sync_active"),
        ("writeMode", "text", "write_mode"),
    ])
}}
