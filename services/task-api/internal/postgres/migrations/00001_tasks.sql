-- +goose Up

-- The runtime role may read and write the rows of all tables that the owner creates, including later tables and the
-- outbox. It may not change the tables.
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO tasks_app;
ALTER DEFAULT PRIVILEGES GRANT USAGE, SELECT ON SEQUENCES TO tasks_app;

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL,                 -- in lower case
    name          text NOT NULL,
    timezone      text NOT NULL,
    role          text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'auditor')),
    password_hash text NOT NULL,                 -- PHC string, argon2id
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX users_email_key ON users (email);

-- One row for each user, with the user's change numbers. Each writer updates the row, which locks the user. So the writes
-- of one user are serial, and seq has no gaps and follows the commit order. The row is narrow and its page has free
-- space, so that the update stays on the page (HOT) and writes no index.
CREATE TABLE heads (
    user_id      uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    seq          bigint NOT NULL DEFAULT 0,      -- the newest change
    changes_from bigint NOT NULL DEFAULT 1,      -- the oldest change in the change log
    purged_seq   bigint NOT NULL DEFAULT 0       -- the newest seq of the purged tombstones
) WITH (fillfactor = 50);

-- The tables tasks and changes have no foreign key to users. The writer has already locked the user's row in heads, and
-- the check would cost every insert a second lock.
CREATE TABLE tasks (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL,
    title         text NOT NULL,
    description   text NOT NULL,
    status        text NOT NULL CHECK (status IN ('pending', 'in_progress', 'completed', 'cancelled')),
    priority      smallint NOT NULL CHECK (priority BETWEEN 1 AND 4), -- low, medium, high, urgent
    tags          jsonb NOT NULL,                -- a list of strings
    due_date      date,
    due_at        timestamptz,
    due_instant   timestamptz,                   -- the instant of due_at, or of the end of due_date
    timezone      text NOT NULL,
    remind_at     timestamptz,
    rrule         text,
    rrule_anchor  text,
    rrule_zone    text,
    series_id     uuid,
    occurrence_no integer,
    due_clock     bigint,                        -- microseconds since midnight; see domain.Task
    remind_clock  bigint,
    position      double precision NOT NULL,
    version       bigint NOT NULL,
    seq           bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    completed_at  timestamptz,
    deleted_at    timestamptz,
    CHECK (due_date IS NULL OR due_at IS NULL),
    CHECK ((due_instant IS NULL) = (due_date IS NULL AND due_at IS NULL)),
    CHECK ((series_id IS NULL) = (occurrence_no IS NULL)),
    CHECK ((completed_at IS NULL) = (status <> 'completed'))
);
CREATE UNIQUE INDEX tasks_seq ON tasks (user_id, seq);                                  -- GET /sync
CREATE INDEX tasks_created ON tasks (user_id, created_at, id) WHERE deleted_at IS NULL; -- the most frequent order of GET /tasks
CREATE INDEX tasks_due ON tasks (user_id, due_instant, id) WHERE deleted_at IS NULL AND due_instant IS NOT NULL;
CREATE UNIQUE INDEX tasks_occurrence ON tasks (series_id, occurrence_no) WHERE series_id IS NOT NULL; -- allows one successor
CREATE INDEX tasks_deleted ON tasks (deleted_at) WHERE deleted_at IS NOT NULL;          -- for the purge

-- The change log. The websocket service replays it to a client that reconnects. payload is the TaskUpdateEvent as it was
-- published. It is text, because the service returns it only as a whole.
CREATE TABLE changes (
    user_id      uuid NOT NULL,
    seq          bigint NOT NULL,
    event_id     uuid NOT NULL,
    event_type   text NOT NULL,
    task_id      uuid NOT NULL,
    task_version bigint NOT NULL,
    payload      text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, seq)
);
CREATE INDEX changes_created ON changes USING brin (created_at); -- for the pruning; costs an insert almost nothing

CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,                 -- SHA-256 of the request
    answer       text NOT NULL,                  -- the answer to the first request
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys USING brin (created_at);

-- A family is one log-in with the chain of its refresh tokens. It is revoked as a whole.
CREATE TABLE refresh_families (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    reason     text
);
CREATE INDEX refresh_families_user ON refresh_families (user_id);
CREATE INDEX refresh_families_expires ON refresh_families (expires_at);
CREATE TABLE refresh_tokens (
    hash       bytea PRIMARY KEY,                -- SHA-256 of the token; the token itself is not stored
    family_id  uuid NOT NULL REFERENCES refresh_families ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL,
    rotated_at timestamptz,
    sealed     bytea                             -- the next token, encrypted with a pad derived from this token
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);

-- +goose Down
DROP TABLE refresh_tokens, refresh_families, idempotency_keys, changes, tasks, heads, users;
