-- +goose Up

-- The service now sends the search terms of a new task whose text is ASCII (see ownTerms), because the trigger cost such an
-- insert more than all its indexes. A writer that does not know the column leaves it null, and the trigger fills it.
CREATE OR REPLACE TRIGGER tasks_search_insert BEFORE INSERT ON tasks FOR EACH ROW WHEN (NEW.search IS NULL) EXECUTE FUNCTION keep_task_search();

-- The lower case of an ASCII text is now independent of the locale, as in the service. With a Turkish locale, the database
-- used another letter for I. An ASCII text also does not need the expression for the separators of all scripts.
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION search_words(t text) RETURNS text[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT AS $$
BEGIN
    IF octet_length(t) = length(t) THEN -- ASCII
        RETURN string_to_array(trim(regexp_replace(lower(t COLLATE "C"), '[^a-z0-9]+', ' ', 'g')), ' ');
    END IF;
    t := normalize(regexp_replace(normalize(t, NFKD), '[\u0300-\u036f\u0591-\u05bd\u064b-\u065f\ufe00-\ufe0f]', '', 'g'), NFKC);
    t := regexp_replace(t, '([\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])', ' \1 ', 'g');
    t := regexp_replace(lower(lower(t COLLATE "C") COLLATE "default"), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf\u00d7\u00f7\u055a-\u055f\u0589\u058a\u05be\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u206f\u2e00-\u2e7f\u3000-\u3003\u3008-\u3020\u3030\u30a0\u30fb\ufe10-\ufe1f\ufe30-\ufe6f\ufff0-\uffff]+', ' ', 'g');
    RETURN string_to_array(trim(t), ' ');
END $$;
-- +goose StatementEnd
UPDATE tasks SET search = NULL WHERE lower('I') <> 'i'; -- the trigger fills it again

-- +goose Down
CREATE OR REPLACE TRIGGER tasks_search_insert BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION keep_task_search();
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
