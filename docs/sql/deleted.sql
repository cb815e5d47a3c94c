-- Accounts that the warehouse still has and Vitally no longer has.
-- For another resource, write its stream's name in place of accounts, wherever it stands.
-- The tables are found on the search path; where they are in a schema of their own, set it first:
-- SET search_path TO vitally;
SELECT accounts.id, listed."startedAt" AS "missingAt"
FROM accounts
JOIN (
    -- The last list of ids that was read to its end; without one, nothing counts as deleted.
    SELECT max("startedAt") AS "startedAt"
    FROM inventory_runs
    WHERE resource = 'accounts'
) AS listed ON accounts."createdAt" < listed."startedAt"
WHERE NOT EXISTS (
    SELECT 1
    FROM inventory
    WHERE inventory.resource = 'accounts'
        AND inventory.id = accounts.id
        AND inventory."seenAt" >= listed."startedAt"
);
