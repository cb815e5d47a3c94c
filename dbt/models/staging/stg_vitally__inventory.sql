{{
    vitally.staged("inventory", [
        ("resource", "text", "stream_name"),
        ("id", "text", "record_id"),
        ("seenAt", "timestamp", "listed_at"),
    ], ["resource", "id"])
}}
