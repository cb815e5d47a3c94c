select
    user_id,
    {{ vitally.json_text(vitally.json_member("item", "id")) }} as segment_id,
    {{ vitally.json_text(vitally.json_member("item", "name")) }} as segment_name,
    source_relation
from (
    {{ vitally.elements_of(ref("stg_vitally__users"), ["source_relation", "user_id"], "segments") }}
) as elements
