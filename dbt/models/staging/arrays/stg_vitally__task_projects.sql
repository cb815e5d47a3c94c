select distinct *
from (
    {{ vitally.links_of(ref("stg_vitally__tasks"), "task_id", "project_id", "project_ids", "projects") }}
) as links
