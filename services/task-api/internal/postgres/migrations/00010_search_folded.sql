-- +goose NO TRANSACTION
-- +goose Up

-- The service now makes the search terms of every row, with one folding for all texts. folded is the version of the task of
-- which it made them. In a row of an earlier version of the service, folded differs from version. The triggers still make
-- terms for such rows, with the folding of the database, until the service has made them again (tasks.RunRefold). A later
-- change of the folding sets folded to null, in batches.
ALTER TABLE tasks ADD COLUMN IF NOT EXISTS folded bigint;
CREATE OR REPLACE TRIGGER tasks_search_update BEFORE UPDATE ON tasks FOR EACH ROW
    WHEN (NEW.folded IS DISTINCT FROM NEW.version AND (NEW.search IS NULL OR
        (OLD.title, OLD.description, OLD.tags, OLD.status, OLD.priority) IS DISTINCT FROM (NEW.title, NEW.description, NEW.tags, NEW.status, NEW.priority)))
    EXECUTE FUNCTION keep_task_search();

-- Drop the invalid index of an earlier attempt that failed.
-- +goose StatementBegin
DO $$
DECLARE i regclass;
BEGIN
    FOR i IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'tasks'::regclass AND NOT indisvalid LOOP
        EXECUTE 'DROP INDEX ' || i;
    END LOOP;
END $$;
-- +goose StatementEnd
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_unfolded ON tasks (id) WHERE folded IS DISTINCT FROM version;

-- +goose Down
CREATE OR REPLACE TRIGGER tasks_search_update BEFORE UPDATE ON tasks FOR EACH ROW
    WHEN (NEW.search IS NULL OR (OLD.title, OLD.description, OLD.tags, OLD.status, OLD.priority) IS DISTINCT FROM (NEW.title, NEW.description, NEW.tags, NEW.status, NEW.priority))
    EXECUTE FUNCTION keep_task_search();
DROP INDEX tasks_unfolded;
ALTER TABLE tasks DROP COLUMN folded;
