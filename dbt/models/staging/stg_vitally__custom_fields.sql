{{
    vitally.staged("custom_fields", [
        ("model", "text", "model"),
        ("path", "text", "path"),
        ("id", "text", "vitally_field_id"),
        ("createdAt", "timestamp", "created_at"),
        ("label", "text", "label"),
        ("type", "text", "field_type"),
        ("options", "json", "options"),
    ], ["model", "path"])
}}
