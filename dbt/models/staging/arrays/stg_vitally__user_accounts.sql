select distinct *
from (
    {{ vitally.links_of(ref("stg_vitally__users"), "user_id", "account_id", "account_ids", "accounts") }}
) as links
