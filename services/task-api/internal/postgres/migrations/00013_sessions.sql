-- +goose Up

-- A family of refresh tokens is a session. What its owner sees of it: when it was used last (null: never refreshed), from
-- where and with which device. revoked_at and reason say when and why it ended. The defaults are for the previous version
-- of the service, which writes rows during an upgrade.
ALTER TABLE refresh_families
    ADD COLUMN last_used_at timestamptz,
    ADD COLUMN address text NOT NULL DEFAULT '',
    ADD COLUMN device text NOT NULL DEFAULT '';
CREATE INDEX refresh_families_revoked ON refresh_families (revoked_at) WHERE revoked_at IS NOT NULL; -- for the pruning

-- What ended before the access tokens that were issued for it expire. Each process loads the rows when it starts, and then
-- asks for newer ones. A row is removed when no such token can be valid any more. The rows have no foreign key: those of a
-- deleted account are needed most.
CREATE TABLE revocations (
    kind     text NOT NULL CHECK (kind IN ('session', 'user', 'role', 'token')),
    id       uuid NOT NULL,                      -- of the session or the token, and otherwise of the user
    user_id  uuid NOT NULL,
    role     text NOT NULL DEFAULT '',           -- the new role, for the kind role
    at       timestamptz NOT NULL,               -- by the clock of the service, which also issues the tokens
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- by the clock of the database; readers page by it
    PRIMARY KEY (kind, id)
);
CREATE INDEX revocations_added ON revocations (added_at, kind, id);
CREATE INDEX revocations_user ON revocations (user_id, at) WHERE kind = 'session'; -- for a read of a user's changes

-- +goose Down
DROP TABLE revocations;
DROP INDEX refresh_families_revoked;
ALTER TABLE refresh_families DROP COLUMN last_used_at, DROP COLUMN address, DROP COLUMN device;
