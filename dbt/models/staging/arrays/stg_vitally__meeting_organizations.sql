{{ vitally.links_of(
    ref("stg_vitally__meetings"), "meeting_id", "organization_ids", "organizations", "organization_id"
) }}
