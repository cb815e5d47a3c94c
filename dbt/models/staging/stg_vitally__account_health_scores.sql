with scores as (
    {{ vitally.staged("account_health_scores", [
        ("accountId", "text", "account_id"),
        ("observedOn", "date", "observed_on"),
        ("observedAt", "timestamp", "observed_at"),
        ("breakdown", "json", "breakdown"),
        (var("vitally_loaded_at"), "timestamp", "loaded_at"),
    ], ["accountId", "observedOn"]) }}
)

select
    scores.*,
    {{ vitally.overall_score("breakdown") }} as health_score
from scores
