-- +goose Up
-- +goose StatementBegin
-- The service's database role may only read and add rows, so this role cannot rewrite the log. The owner of the tables can. The
-- signer, which is another process, then refuses the next checkpoint, and an auditor detects a rewrite with an earlier one
-- (docs/audit.md). The default privileges cover the tables of later
-- migrations too. There is no sequence, because positions must have no gaps.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT ON TABLES TO audit_app;

CREATE TABLE entries (
    position     bigint      PRIMARY KEY CHECK (position >= 0), -- the leaf's index in the tree
    event_id     uuid        NOT NULL UNIQUE,                   -- a second delivery adds nothing
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
    -- The hash of a leaf (RFC 6962, 2.1). The database refuses a row whose leaf_hash is not the hash of its leaf.
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
-- There is no Down: a migration must not remove the log.
