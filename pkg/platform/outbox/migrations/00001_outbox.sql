-- +goose Up

-- Events on their way to the broker. A row is deleted when the broker has acknowledged it, so the table is a queue:
-- small, and churning. Vacuum comes by count, not by share, and does not pause; the index is found by (bucket, id).
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    bucket       smallint NOT NULL CHECK (bucket BETWEEN 0 AND 63),
    topic        text NOT NULL,
    key          text NOT NULL,
    event_id     uuid NOT NULL,
    type         text NOT NULL,
    subject      text NOT NULL,
    data         text NOT NULL,
    trace_parent text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000);

CREATE INDEX outbox_bucket_id ON outbox (bucket, id);

-- Events that the broker can never take, with its reason. A person decides about them.
CREATE TABLE outbox_parked (
    id           bigint PRIMARY KEY,
    topic        text NOT NULL,
    key          text NOT NULL,
    event_id     uuid NOT NULL,
    type         text NOT NULL,
    subject      text NOT NULL,
    data         text NOT NULL,
    trace_parent text NOT NULL,
    created_at   timestamptz NOT NULL,
    parked_at    timestamptz NOT NULL DEFAULT now(),
    reason       text NOT NULL
);

-- +goose Down
DROP TABLE outbox_parked;
DROP TABLE outbox;
