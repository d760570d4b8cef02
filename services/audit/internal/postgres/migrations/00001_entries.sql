-- +goose Up
-- +goose StatementBegin
-- The service's role reads and adds, and nothing else: an audit log that its own service cannot rewrite. The default
-- covers tables of later migrations too. There is no sequence: positions must have no gaps.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO audit_app;

CREATE TABLE entries (
    position     bigint      PRIMARY KEY CHECK (position >= 0), -- the leaf's index in the tree
    event_id     uuid        NOT NULL UNIQUE,                   -- makes a second delivery harmless
    user_id      uuid        NOT NULL,
    task_id      uuid        NOT NULL,
    event_type   text        NOT NULL,
    task_version bigint      NOT NULL,
    seq          bigint      NOT NULL,
    occurred_at  timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL,
    actor        text        NOT NULL,
    event        jsonb       NOT NULL, -- for queries; jsonb does not keep the bytes
    leaf         bytea       NOT NULL, -- the exact bytes hashed: a header with recorded_at, then the event as received
    leaf_hash    bytea       NOT NULL,
    -- RFC 6962, 2.1: the hash of a leaf. A row whose hash is not that of its bytes cannot come in.
    CONSTRAINT leaf_hash_is_of_leaf CHECK (leaf_hash = sha256('\x00'::bytea || leaf))
);
CREATE INDEX entries_by_user ON entries (user_id, position);
CREATE INDEX entries_by_task ON entries (task_id, task_version, position);

-- The tree's stored hashes by tlog.StoredHashIndex, two for each entry on average.
CREATE TABLE hashes (
    index bigint PRIMARY KEY CHECK (index >= 0),
    hash  bytea  NOT NULL CHECK (length(hash) = 32)
);
-- +goose StatementEnd
-- There is no Down: taking the log away is not something a migration does.
