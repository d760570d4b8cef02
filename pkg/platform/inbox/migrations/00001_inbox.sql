-- +goose Up
CREATE TABLE inbox (
    consumer    text        NOT NULL,
    event_id    uuid        NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
) WITH (
    -- Rows are only added, and pruned in bulk. The planner needs no statistics of them, but the visibility map must be current.
    autovacuum_vacuum_scale_factor = 0.05
);

-- For Prune. Rows arrive in the order of this index, so it costs an insert little.
CREATE INDEX inbox_received_at ON inbox (consumer, received_at);

-- The runtime role of NAME_owner is NAME_app. Granted here too: then the order of the migration sets does not matter.
-- +goose StatementBegin
DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    IF app <> current_user AND EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON inbox TO %I', app);
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE inbox;
