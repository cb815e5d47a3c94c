select distinct *
from (
    {{ vitally.links_of(ref("stg_vitally__meetings"), "meeting_id", "account_id", "account_ids", "accounts") }}
) as links
