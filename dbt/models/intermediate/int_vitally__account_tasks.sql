select
    account_id,
    count(*) as tasks_count,
    sum(case when completed_at is null then 1 else 0 end) as open_tasks_count,
    sum(case when completed_at is null and due_date < cast({{ vitally.as_of() }} as date) then 1 else 0 end)
        as overdue_tasks_count,
    sum(case when completed_at is not null then 1 else 0 end) as completed_tasks_count,
    source_relation
from {{ vitally.not_deleted("tasks") }} as tasks
where
    account_id is not null
    and archived_at is null
group by
    source_relation,
    account_id
