-- How each stream does, by the rows of vitally_sync_runs. Alert on every status but fresh and quiet.
-- 3 hours is three times the schedule; 7 days is how long your team may leave a list untouched.
-- The table is found on the search path; where it is in a schema of its own, set it first:
-- SET search_path TO vitally;
WITH runs AS (
    SELECT
        *,
        -- A stream without a bookmark is read in full each time: news is that there are rows.
        CASE
            WHEN "bookmarkAfter" IS NULL THEN records > 0
            ELSE "bookmarkBefore" IS NULL OR "bookmarkAfter" > "bookmarkBefore"
        END AS has_news,
        lag(records) OVER (PARTITION BY stream ORDER BY "startedAt") AS records_before,
        row_number() OVER (PARTITION BY stream ORDER BY "startedAt" DESC) AS number
    FROM vitally_sync_runs
),
streams AS (
    SELECT
        stream,
        max("startedAt") AS last_run,
        max(CASE WHEN has_news THEN "startedAt" END) AS last_news,
        max("bookmarkAfter") AS bookmark,
        max(CASE WHEN number = 1 THEN records END) AS records,
        max(CASE WHEN number = 1 THEN skipped END) AS skipped,
        max(CASE WHEN number = 1 AND "bookmarkAfter" IS NULL THEN records_before END) AS records_before
    FROM runs
    GROUP BY stream
)
SELECT
    CASE
        WHEN last_run < (now() AT TIME ZONE 'UTC') - INTERVAL '3 hours' THEN 'no run'
        WHEN skipped > 0 AND records = 0 THEN 'stuck'
        WHEN skipped > 0 THEN 'incomplete'
        WHEN records = 0 AND records_before > 0 THEN 'emptied'
        WHEN last_news >= (now() AT TIME ZONE 'UTC') - INTERVAL '7 days' THEN 'fresh'
        ELSE 'quiet'
    END AS status,
    stream, last_run, last_news, bookmark, records, skipped
FROM streams
ORDER BY status, stream;
