select distinct *
from (
    {{ vitally.links_of(
        ref("stg_vitally__meetings"), "meeting_id", "organization_id", "organization_ids", "organizations"
    ) }}
) as links
