-- +goose NO TRANSACTION
-- +goose Up

-- No statement here locks the table for longer than a moment. The column is added empty. The trigger fills it for every
-- writer, including the previous version of the service. A procedure fills the existing rows in batches, and the indexes
-- are built concurrently. Therefore this migration is not a transaction, and each step can be repeated.

-- search_words returns the words of a text, in order. It normalizes the text (NFKC), removes accents and makes it lower
-- case. A word ends at a character that is no letter, digit or symbol. In scripts without spaces (Han, Kana) each
-- character is a word. The expressions use code points, because the class of letters depends on the database's locale.
-- domain.SearchWords splits in the same way.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION search_words(t text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
BEGIN
    IF octet_length(t) <> length(t) THEN -- beyond ASCII
        t := normalize(regexp_replace(normalize(t, NFKD), '[\u0300-\u036f\u0591-\u05bd\u064b-\u065f\ufe00-\ufe0f]', '', 'g'), NFKC);
        t := regexp_replace(t, '([\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])', ' \1 ', 'g');
    END IF;
    t := regexp_replace(lower(t), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u058a\u05be\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u206f\u2e00-\u2e7f\u3000-\u3003\u3008-\u3020\u3030\u30a0\u30fb\ufe10-\ufe1f\ufe30-\ufe6f\ufff0-\uffff]+', ' ', 'g');
    RETURN string_to_array(trim(t), ' ');
END $$;
-- +goose StatementEnd

-- search_key returns the prefix of all terms of a user: the end of the user's id, which is random. So the terms of two
-- users differ, and a search reads only the entries of its own user in the index. Two users may have the same prefix. The
-- condition on user_id then separates their tasks.
CREATE OR REPLACE FUNCTION search_key(user_id uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT right(user_id::text, 8) $$;

-- search_quote escapes a term for the input of a tsvector or tsquery.
CREATE OR REPLACE FUNCTION search_quote(term text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT '''' || replace(replace(term, '\', '\\'), '''', '''''') || '''' $$;

-- task_search returns the search terms of a task: .word (weight A in the title, B in a tag, D in the description), #tag
-- unchanged, =status and !priority. A word is cut at 64 characters. A position is at most 16383, the limit of a tsvector.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION task_search(user_id uuid, title text, description text, tags jsonb, status text, priority smallint) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    own text := '''' || search_key(user_id);
    made text := own || '=' || status || ''' ' || own || '!' || priority || '''';
    tag text;
    n integer := 0;
    word text;
BEGIN
    FOREACH word IN ARRAY search_words(title) LOOP
        n := n + 1;
        made := made || ' ' || own || '.' || left(word, 64) || ''':' || n || 'A';
    END LOOP;
    IF tags <> '[]' THEN
        FOR tag IN SELECT jsonb_array_elements_text(tags) LOOP
            made := made || ' ' || search_quote(search_key(user_id) || '#' || tag);
            FOREACH word IN ARRAY search_words(tag) LOOP
                n := n + 1;
                made := made || ' ' || own || '.' || left(word, 64) || ''':' || n || 'B';
            END LOOP;
        END LOOP;
    END IF;
    IF description <> '' THEN
        SELECT made || coalesce(string_agg(' ' || own || '.' || left(w, 64) || ''':' || least(n + i, 16383) || 'D', ''), '')
            INTO made FROM unnest(search_words(description)) WITH ORDINALITY AS words (w, i);
    END IF;
    RETURN made::tsvector;
END $$;
-- +goose StatementEnd

-- search_query returns a query for all words of a text, each as the prefix of a word. It returns null for a text without a
-- word.
CREATE OR REPLACE FUNCTION search_query(user_id uuid, q text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT string_agg(search_quote(search_key(user_id) || '.' || left(w, 64)) || ':*', ' & ') FROM unnest(search_words(q)) AS w $$;

ALTER TABLE tasks ADD COLUMN IF NOT EXISTS search tsvector;

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION keep_task_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.search := task_search(NEW.user_id, NEW.title, NEW.description, NEW.tags, NEW.status, NEW.priority);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE OR REPLACE TRIGGER tasks_search_insert BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION keep_task_search();
CREATE OR REPLACE TRIGGER tasks_search_update BEFORE UPDATE ON tasks FOR EACH ROW
    WHEN (NEW.search IS NULL OR (OLD.title, OLD.description, OLD.tags, OLD.status, OLD.priority) IS DISTINCT FROM (NEW.title, NEW.description, NEW.tags, NEW.status, NEW.priority))
    EXECUTE FUNCTION keep_task_search();

-- Fill the existing rows by ranges of pages, each in its own transaction, so that no writer waits for long.
-- +goose StatementBegin
CREATE OR REPLACE PROCEDURE fill_task_search() LANGUAGE plpgsql AS $$
DECLARE
    pages bigint := pg_relation_size('tasks') / current_setting('block_size')::bigint;
    step CONSTANT bigint := 200;
BEGIN
    FOR page IN 0 .. pages BY step LOOP
        UPDATE tasks SET search = NULL WHERE search IS NULL AND ctid >= format('(%s,0)', page)::tid AND ctid < format('(%s,0)', page + step)::tid;
        COMMIT;
    END LOOP;
END $$;
-- +goose StatementEnd
CALL fill_task_search();
DROP PROCEDURE fill_task_search;

-- Drop the invalid indexes of an earlier attempt that failed.
-- +goose StatementBegin
DO $$
DECLARE i regclass;
BEGIN
    FOR i IN SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'tasks'::regclass AND NOT indisvalid LOOP
        EXECUTE 'DROP INDEX ' || i;
    END LOOP;
END $$;
-- +goose StatementEnd
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_search ON tasks USING gin (search) WHERE deleted_at IS NULL;
-- One index for each order of a list. Tasks without a due date come after those with one, in the order of their ids.
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_undated ON tasks (user_id, id) WHERE deleted_at IS NULL AND due_instant IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_updated ON tasks (user_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_priority ON tasks (user_id, priority, id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_title ON tasks (user_id, lower(title) COLLATE "C", id) WHERE deleted_at IS NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS tasks_position ON tasks (user_id, position, id) WHERE deleted_at IS NULL;

-- +goose Down
DROP INDEX tasks_search, tasks_undated, tasks_updated, tasks_priority, tasks_title, tasks_position;
DROP TRIGGER tasks_search_insert ON tasks;
DROP TRIGGER tasks_search_update ON tasks;
ALTER TABLE tasks DROP COLUMN search;
DROP FUNCTION keep_task_search, task_search, search_query, search_quote, search_key, search_words;
