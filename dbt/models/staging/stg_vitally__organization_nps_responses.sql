{{
    vitally.staged("organization_nps_responses", [
        ("parentOrganizationId", "text", "organization_id"),
        ("id", "text", "nps_response_id"),
    ], ["parentOrganizationId", "id"])
}}
