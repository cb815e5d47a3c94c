select
    meeting_id,
    position as participant_number,
    {{ vitally.json_text(vitally.json_member("item", "id")) }} as participant_id,
    {{ vitally.json_text(vitally.json_member("item", "userId")) }} as user_id,
    {{ vitally.json_text(vitally.json_member("item", "vitallyUserId")) }} as admin_id,
    {{ vitally.json_text(vitally.json_member("item", "email")) }} as email,
    {{ vitally.json_text(vitally.json_member("item", "type")) }} as participant_type,
    {{ vitally.json_text(vitally.json_member("item", "responseStatus")) }} as response_status,
    source_relation
from (
    {{ vitally.elements_of(ref("stg_vitally__meetings"), ["source_relation", "meeting_id"], "participants") }}
) as elements
