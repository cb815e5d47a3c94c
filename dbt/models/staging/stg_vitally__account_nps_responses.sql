{{
    vitally.staged("account_nps_responses", [
        ("parentAccountId", "text", "account_id"),
        ("id", "text", "nps_response_id"),
    ], ["parentAccountId", "id"])
}}
