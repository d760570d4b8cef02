-- +goose Up
-- Places in a snapshot of GET /sync count from here. A purge, and the deletion of an account whose user may come back,
-- move it beyond those given out before.
ALTER TABLE heads ADD COLUMN snapshot_base bigint NOT NULL DEFAULT 0;
ALTER TABLE account_deletions ADD COLUMN snapshot_base bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE account_deletions DROP COLUMN snapshot_base;
ALTER TABLE heads DROP COLUMN snapshot_base;
