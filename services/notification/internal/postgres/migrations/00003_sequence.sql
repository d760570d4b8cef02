-- +goose Up
-- +goose StatementBegin
-- The day of a task without a time of day, and the zone in which a text names times. Both are null for events of older
-- versions.
ALTER TABLE reminders ADD COLUMN due_date date, ADD COLUMN timezone text;
ALTER TABLE notifications
    ADD COLUMN due_date date,
    ADD COLUMN seq      bigint NOT NULL DEFAULT 0; -- the number of its newest change; a replica of an older version writes 0

-- The zone of each user, as the newest of the user's events names it.
CREATE TABLE zones (
    user_id  uuid        PRIMARY KEY,
    timezone text        NOT NULL,
    event_at timestamptz NOT NULL
);

-- One row for each user who ever had a notification. Each writer of an inbox updates the row, which locks the inbox. So seq
-- has no gaps and follows the commit order. The page has free space, so that the update stays on it and writes no index.
CREATE TABLE heads (
    user_id      uuid   PRIMARY KEY,
    seq          bigint NOT NULL DEFAULT 0, -- the newest change
    changes_from bigint NOT NULL DEFAULT 1  -- the oldest change in the change log
) WITH (fillfactor = 50);

-- The change log. The websocket service replays it to a client that reconnects. payload is the NotificationEvent as it was
-- published.
CREATE TABLE changes (
    user_id    uuid        NOT NULL,
    seq        bigint      NOT NULL,
    payload    text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, seq)
);
CREATE INDEX changes_created ON changes USING brin (created_at); -- for the pruning; costs an insert almost nothing

-- The notifications so far are numbered in their order, but they are not in the log: no client can have a place among them.
UPDATE notifications n SET seq = numbered.seq
FROM (SELECT id, row_number() OVER (PARTITION BY user_id ORDER BY created_at, id) AS seq FROM notifications) numbered
WHERE numbered.id = n.id;
INSERT INTO heads (user_id, seq, changes_from) SELECT user_id, max(seq), max(seq) + 1 FROM notifications GROUP BY user_id;
-- +goose StatementEnd

-- +goose Down
DROP TABLE changes, heads, zones;
ALTER TABLE notifications DROP COLUMN due_date, DROP COLUMN seq;
ALTER TABLE reminders DROP COLUMN due_date, DROP COLUMN timezone;
