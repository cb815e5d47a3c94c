{#-
    A score moves without updatedAt, so the one in accounts is as old as the row. The fresher of the two
    counts: by when the loader stored them, or, without that, by when the API says that each was so, and
    when all accounts were last read.
-#}
with scores as (
    select
        source_relation,
        account_id,
        health_score,
        coalesce(observed_at, cast(observed_on as {{ vitally.type_of("timestamp") }})) as observed_at,
        loaded_at,
        row_number() over (
            partition by source_relation, account_id
            order by observed_on desc
        ) as snapshot_number
    from {{ ref("stg_vitally__account_health_scores") }}
),

whole_reads as (
    select
        source_relation,
        max(whole_read_at) as read_at
    from {{ ref("stg_vitally__vitally_sync_runs") }}
    where stream_name = 'accounts'
    group by source_relation
),

accounts as (
    select
        accounts.source_relation,
        accounts.account_id,
        accounts.health_score,
        accounts.loaded_at,
        case
            when whole_reads.read_at > accounts.updated_at then whole_reads.read_at
            else accounts.updated_at
        end as known_at
    from {{ ref("stg_vitally__accounts") }} as accounts
    left join whole_reads on accounts.source_relation = whole_reads.source_relation
),

compared as (
    select
        accounts.source_relation,
        accounts.account_id,
        accounts.health_score as own_score,
        coalesce(accounts.loaded_at, accounts.known_at) as own_score_as_of,
        scores.health_score,
        scores.observed_at,
        scores.health_score is not null and coalesce(
            scores.loaded_at >= accounts.loaded_at,
            scores.observed_at >= accounts.known_at,
            accounts.health_score is null
        ) as is_fresher
    from accounts
    left join scores
        on
            accounts.source_relation = scores.source_relation
            and accounts.account_id = scores.account_id
            and scores.snapshot_number = 1
)

select
    account_id,
    case when is_fresher then health_score else own_score end as health_score,
    case
        when is_fresher then observed_at
        when own_score is not null then own_score_as_of
    end as health_score_as_of,
    source_relation
from compared
