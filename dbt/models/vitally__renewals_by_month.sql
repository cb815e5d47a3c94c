select
    cast({{ dbt.date_trunc("month", "next_renewal_at") }} as date) as renewal_month,
    count(*) as accounts_count,
    {{ vitally.counted("sum(arr)", ["accounts.mrr"]) }} as arr,
    {{ vitally.counted("sum(case when is_at_risk then 1 else 0 end)", [vitally.health_of_accounts()]) }}
        as accounts_at_risk_count,
    {{ vitally.counted(
        "sum(case when is_at_risk then arr end)", [vitally.health_of_accounts(), "accounts.mrr"]
    ) }} as arr_at_risk,
    sum(case when health_band = 'unknown' then 1 else 0 end) as accounts_without_health_count,
    source_relation
from {{ ref("vitally__account_enhanced") }}
where
    next_renewal_at is not null
    and not is_churned
    and not is_deleted
group by
    source_relation,
    cast({{ dbt.date_trunc("month", "next_renewal_at") }} as date)
