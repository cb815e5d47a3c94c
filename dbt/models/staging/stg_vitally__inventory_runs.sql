{{
    vitally.staged("inventory_runs", [
        ("resource", "text", "stream_name"),
        ("startedAt", "timestamp", "started_at"),
        ("finishedAt", "timestamp", "finished_at"),
        ("count", "integer", "record_count"),
        ("countBefore", "integer", "count_before"),
        ("suspect", "boolean", "is_suspect"),
    ], ["resource", "startedAt"])
}}
