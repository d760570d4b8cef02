-- +goose Up
CREATE TABLE inbox (
    consumer    text NOT NULL,
    event_id    uuid NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);

-- Rows come in time order and are pruned in time order: a block range index finds them at almost no cost a write.
CREATE INDEX inbox_received_at ON inbox USING brin (received_at) WITH (pages_per_range = 16);

-- +goose Down
DROP TABLE inbox;
