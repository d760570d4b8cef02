-- +goose Up
-- +goose StatementBegin
-- The runtime role may change rows, but not tables. The default privileges cover later tables and the sets that run next.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO notifications_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO notifications_app;

-- One row for each task that ever had a reminder. A cancelled row stays, so that an older event that arrives late does not
-- schedule the reminder again.
CREATE TABLE reminders (
    task_id      uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL,
    title        text        NOT NULL,
    due_at       timestamptz,
    remind_at    timestamptz,
    deliver_at   timestamptz,                                 -- remind_at, or the end of the quiet hours it fell into
    task_version bigint      NOT NULL CHECK (task_version >= 0), -- the highest one so far; 0 if all events had the original form
    event_at     timestamptz NOT NULL,                        -- of the newest event; orders events without a version
    state        text        NOT NULL CHECK (state IN ('scheduled', 'cancelled', 'sent')),
    sent_for     timestamptz,                                 -- the remind_at that was delivered last
    CHECK (state = 'cancelled' OR (due_at IS NOT NULL AND remind_at IS NOT NULL AND deliver_at IS NOT NULL))
);
CREATE INDEX reminders_due ON reminders (deliver_at) WHERE state = 'scheduled';
CREATE INDEX reminders_waiting_by_user ON reminders (user_id) WHERE state = 'scheduled';

CREATE TABLE notifications (
    id            uuid        PRIMARY KEY, -- UUIDv5 of task, remind_at and version: a second delivery has the same id
    user_id       uuid        NOT NULL,
    task_id       uuid        NOT NULL,
    kind          text        NOT NULL,
    title         text        NOT NULL,
    body          text        NOT NULL,
    due_at        timestamptz,
    late          boolean     NOT NULL,
    created_at    timestamptz NOT NULL,
    read_at       timestamptz,
    snoozed_until timestamptz              -- the time of the next delivery; null after it, or when the task is done
);
CREATE INDEX notifications_by_user ON notifications (user_id, created_at DESC, id DESC);
CREATE INDEX notifications_unread_by_user ON notifications (user_id, created_at DESC, id DESC) WHERE read_at IS NULL;
CREATE INDEX notifications_snoozed ON notifications (snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX notifications_snoozed_by_task ON notifications (task_id) WHERE snoozed_until IS NOT NULL;

CREATE TABLE deliveries (
    notification_id uuid        NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    channel         text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('delivered', 'failed')),
    attempts        integer     NOT NULL CHECK (attempts > 0),
    last_error      text        NOT NULL DEFAULT '',
    at              timestamptz NOT NULL,
    PRIMARY KEY (notification_id, channel)
);

CREATE TABLE preferences (
    user_id        uuid        PRIMARY KEY,
    in_app         boolean     NOT NULL,
    quiet_start    text,       -- HH:MM on the wall clock of quiet_timezone
    quiet_end      text,
    quiet_timezone text,
    updated_at     timestamptz NOT NULL,
    CHECK (num_nulls(quiet_start, quiet_end, quiet_timezone) IN (0, 3))
);
-- +goose StatementEnd

-- +goose Down
DROP TABLE deliveries, notifications, reminders, preferences;
