{{
    vitally.staged("vitally_sync_runs", [
        ("startedAt", "timestamp", "started_at"),
        ("stream", "text", "stream_name"),
        ("records", "integer", "records"),
        ("pages", "integer", "pages"),
        ("requests", "integer", "requests"),
        ("retries", "integer", "retries"),
        ("waitedSeconds", "number", "waited_seconds"),
        ("stoppedEarly", "integer", "stopped_early"),
        ("outOfOrder", "integer", "out_of_order"),
        ("skipped", "integer", "skipped"),
        ("skippedReasons", "json", "skipped_reasons"),
        ("bookmarkBefore", "timestamp", "bookmark_before"),
        ("bookmarkAfter", "timestamp", "bookmark_after"),
        ("wholeReadAt", "timestamp", "whole_read_at"),
    ], ["startedAt", "stream"])
}}
