-- +goose NO TRANSACTION
-- +goose Up

-- The order by completed_at, and the deleted tasks of a user. Drop the indexes of an earlier attempt that failed.
DROP INDEX CONCURRENTLY IF EXISTS tasks_completed;
CREATE INDEX CONCURRENTLY tasks_completed ON tasks (user_id, completed_at, id) WHERE deleted_at IS NULL AND completed_at IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS tasks_uncompleted;
CREATE INDEX CONCURRENTLY tasks_uncompleted ON tasks (user_id, id) WHERE deleted_at IS NULL AND completed_at IS NULL;
DROP INDEX CONCURRENTLY IF EXISTS tasks_trash;
CREATE INDEX CONCURRENTLY tasks_trash ON tasks (user_id, deleted_at, id) WHERE deleted_at IS NOT NULL;

-- +goose Down
DROP INDEX tasks_trash, tasks_uncompleted, tasks_completed;
