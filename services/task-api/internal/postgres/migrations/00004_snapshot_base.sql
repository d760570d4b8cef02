-- +goose Up
-- The base of the places in a snapshot of GET /sync. A purge raises it above all places that clients may have, and so does
-- the deletion of an account whose user may return.
ALTER TABLE heads ADD COLUMN snapshot_base bigint NOT NULL DEFAULT 0;
ALTER TABLE account_deletions ADD COLUMN snapshot_base bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE account_deletions DROP COLUMN snapshot_base;
ALTER TABLE heads DROP COLUMN snapshot_base;
