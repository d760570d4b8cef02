-- +goose NO TRANSACTION
-- +goose Up

-- Titles are ordered by the root collation of Unicode. The collation is our own, so that Postgres records the version of ICU
-- with which the index was built (pg_collation.collversion). See the runbook for what to do when ICU changes.
CREATE COLLATION IF NOT EXISTS title_order (provider = icu, locale = 'und');
DROP INDEX CONCURRENTLY IF EXISTS tasks_title_order; -- of an earlier attempt that failed
CREATE INDEX CONCURRENTLY tasks_title_order ON tasks (user_id, title COLLATE title_order, id) WHERE deleted_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS tasks_title;

-- +goose Down
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_title ON tasks (user_id, lower(title) COLLATE "C", id) WHERE deleted_at IS NULL;
DROP INDEX tasks_title_order;
DROP COLLATION title_order;
