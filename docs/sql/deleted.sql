-- Accounts that the warehouse still has and Vitally no longer has: the last two whole lists of ids lack them.
-- For another resource, write its stream's name in place of accounts, wherever it stands.
-- The tables are found on the search path; where they are in a schema of their own, set it first:
-- SET search_path TO vitally;
WITH runs AS (
    SELECT "startedAt", count, lag(count) OVER (ORDER BY "startedAt") AS expected
    FROM (SELECT DISTINCT "startedAt", count FROM inventory_runs WHERE resource = 'accounts') AS lists
),
compared AS (
    -- A list that lost more than a fifth is measured by the one before it, and so are the nine after it.
    SELECT "startedAt", count, max(
        CASE WHEN count < 0.8 * expected AND expected - count > 1 THEN expected END
    ) OVER (ORDER BY "startedAt" ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS expected
    FROM runs
),
whole AS (
    -- One record may be missing from however few; an empty list proves nothing.
    SELECT "startedAt", count, row_number() OVER (ORDER BY "startedAt" DESC) AS number
    FROM compared
    WHERE count > 0 AND (expected IS NULL OR count >= 0.8 * expected OR expected - count = 1)
),
proof AS (
    -- The last but one of them, as long as the ids that it listed are in the warehouse.
    SELECT whole."startedAt"
    FROM whole
    JOIN inventory ON inventory.resource = 'accounts' AND inventory."seenAt" >= whole."startedAt"
    WHERE whole.number = 2
    GROUP BY whole."startedAt", whole.count
    HAVING count(DISTINCT inventory.id) >= 0.8 * whole.count OR count(DISTINCT inventory.id) = whole.count - 1
)
SELECT accounts.id, proof."startedAt" AS "missingAt"
FROM accounts
JOIN proof ON accounts."createdAt" < proof."startedAt"
WHERE NOT EXISTS (
    SELECT 1
    FROM inventory
    WHERE inventory.resource = 'accounts'
        AND inventory.id = accounts.id
        AND inventory."seenAt" >= proof."startedAt"
);
