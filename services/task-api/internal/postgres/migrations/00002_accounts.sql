-- +goose Up

-- An account whose user logs in elsewhere (OIDC) has no password, '', and its e-mail is what the issuer says: it names
-- nobody here, may be missing, and may be that of another account.
DROP INDEX users_email_key;
CREATE UNIQUE INDEX users_email_key ON users (email) WHERE password_hash <> '';

-- Accounts that were deleted. While finished_at is null, their data is being removed in batches, each of which commits
-- with the events that tell of it. The row of an account with a password goes with the last batch. That of an OIDC
-- account stays, because the same user may come back under the same id: its change numbers must go on from seq, and
-- tokens from before the deletion must not bring it back.
CREATE TABLE account_deletions (
    user_id      uuid PRIMARY KEY,
    seq          bigint NOT NULL,                -- the newest change that was told
    oidc         boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX account_deletions_unfinished ON account_deletions (requested_at) WHERE finished_at IS NULL;

-- +goose Down
DROP TABLE account_deletions;
DROP INDEX users_email_key;
CREATE UNIQUE INDEX users_email_key ON users (email);
