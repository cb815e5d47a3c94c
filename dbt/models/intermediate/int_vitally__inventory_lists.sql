{#- A few rows for each stream, so that no run has to be compared with all of its ids. -#}
select
    stream_name,
    listed_at,
    count(*) as records_count,
    source_relation
from {{ ref("stg_vitally__inventory") }}
group by
    source_relation,
    stream_name,
    listed_at
