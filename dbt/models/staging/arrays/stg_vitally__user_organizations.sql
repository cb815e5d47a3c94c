select distinct *
from (
    {{ vitally.links_of(ref("stg_vitally__users"), "user_id", "organization_id", "organization_ids", "organizations") }}
) as links
