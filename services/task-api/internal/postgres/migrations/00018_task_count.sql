-- +goose Up

-- How many tasks a user has that are not deleted, for the quota. A write counts in the UPDATE with which it takes its
-- change numbers, so the count costs nothing more. A version of the service that does not count may write during an upgrade.
-- The count is then off by the tasks that it made or deleted; only the quota depends on it.
ALTER TABLE heads ADD COLUMN live bigint NOT NULL DEFAULT 0;
UPDATE heads h SET live = c.live
FROM (SELECT user_id, count(*) AS live FROM tasks WHERE deleted_at IS NULL GROUP BY user_id) c WHERE c.user_id = h.user_id;

-- +goose Down
ALTER TABLE heads DROP COLUMN live;
