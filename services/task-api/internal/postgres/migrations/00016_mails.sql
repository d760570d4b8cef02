-- +goose Up

-- When the user showed that mail to the e-mail reaches them; null if never.
ALTER TABLE users ADD COLUMN email_verified_at timestamptz;

-- The mails that are to be sent, and for a while those that were sent. A row has no link: the link is made when the mail is
-- sent, so nobody can use it from here. A row is also made for an e-mail without an account, so that the request takes the same
-- time; the sender then finds no user. One e-mail has one mail of each kind.
CREATE TABLE mails (
    email      text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('verify', 'recover')),
    pending    boolean NOT NULL,
    attempts   int NOT NULL DEFAULT 0,       -- begun since it became pending
    next_at    timestamptz NOT NULL,         -- when it may be tried (again)
    allowed_at timestamptz NOT NULL,         -- the theoretical arrival time of the next request (GCRA, ITU-T I.371)
    PRIMARY KEY (email, kind)
);
CREATE INDEX mails_pending ON mails (next_at) WHERE pending;

-- +goose Down
DROP TABLE mails;
ALTER TABLE users DROP COLUMN email_verified_at;
