{{ vitally.links_of(ref("stg_vitally__users"), "user_id", "organization_ids", "organizations", "organization_id") }}
