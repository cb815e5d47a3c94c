{{
    vitally.staged("custom_object_fields", [
        ("customObjectId", "text", "custom_object_id"),
        ("path", "text", "path"),
        ("id", "text", "vitally_field_id"),
        ("createdAt", "timestamp", "created_at"),
        ("label", "text", "label"),
        ("type", "text", "field_type"),
        ("options", "json", "options"),
    ], ["customObjectId", "path"])
}}
