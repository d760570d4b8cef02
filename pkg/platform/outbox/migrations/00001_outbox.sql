-- +goose Up

-- The events that are committed and not yet acknowledged by the broker. Within a key, id follows commit order, because
-- the writer holds a lock on what the key stands for. bucket is the hash of the key (bucketOf). Rows are read and deleted
-- by (bucket, id) only.
CREATE TABLE outbox (
    bucket       smallint    NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    id           bigint      GENERATED ALWAYS AS IDENTITY,
    topic        text        NOT NULL,
    key          text        NOT NULL,
    event_id     uuid        NOT NULL,
    type         text        NOT NULL,
    subject      text        NOT NULL,
    trace_parent text        NOT NULL,
    data         bytea       NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (bucket, id)
) WITH (
    -- A queue: rows live for milliseconds, and dead rows at the front of the index slow every read. So vacuum starts at
    -- a number of dead rows and not at a share, and makes no pauses. The relay's plans need no statistics.
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_threshold = 50000,
    autovacuum_analyze_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 2000,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_cost_delay = 0
);

-- Events that the broker can never take, with the reason. A person decides about them.
CREATE TABLE outbox_parked (
    id           bigint      PRIMARY KEY,
    topic        text        NOT NULL,
    key          text        NOT NULL,
    event_id     uuid        NOT NULL,
    type         text        NOT NULL,
    subject      text        NOT NULL,
    trace_parent text        NOT NULL,
    data         bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    parked_at    timestamptz NOT NULL DEFAULT now(),
    reason       text        NOT NULL
);

-- The runtime role of NAME_owner is NAME_app. Granted here too: then the order of the migration sets does not matter.
-- +goose StatementBegin
DO $$
DECLARE
    app text := regexp_replace(current_user, '_owner$', '_app');
BEGIN
    IF app <> current_user AND EXISTS (SELECT FROM pg_roles WHERE rolname = app) THEN
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON outbox, outbox_parked TO %I', app);
    END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
DROP TABLE outbox_parked;
DROP TABLE outbox;
