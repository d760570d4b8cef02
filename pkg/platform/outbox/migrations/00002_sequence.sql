-- +goose Up

-- The relay reads the last assigned id (see watermark.go). The runtime role of NAME_owner is NAME_app.
-- +goose StatementBegin
DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    IF app <> current_user AND EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
        EXECUTE format('GRANT SELECT ON SEQUENCE outbox_id_seq TO %I', app);
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
