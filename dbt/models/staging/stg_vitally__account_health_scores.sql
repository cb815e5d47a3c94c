{{
    vitally.staged("account_health_scores", [
        ("accountId", "text", "account_id"),
        ("observedOn", "date", "observed_on"),
        ("observedAt", "timestamp", "observed_at"),
        ("breakdown", "json", "breakdown"),
    ], ["accountId", "observedOn"])
}}
