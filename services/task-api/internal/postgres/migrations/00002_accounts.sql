-- +goose Up

-- The account of a user who logs in with an OIDC issuer has the password_hash ''. Its e-mail comes from the issuer. It
-- does not identify the account, may be missing, and may be equal to the e-mail of another account.
DROP INDEX users_email_key;
CREATE UNIQUE INDEX users_email_key ON users (email) WHERE password_hash <> '';

-- Deleted accounts. While finished_at is null, batches remove the account's data. Each batch commits with the events of
-- its deletions. The last batch removes the row of an account with a password. The row of an OIDC account stays, because
-- the user may return with the same id. The new account's change numbers must then continue after seq, and a token that
-- was issued before the deletion must not create the account again.
CREATE TABLE account_deletions (
    user_id      uuid PRIMARY KEY,
    seq          bigint NOT NULL,                -- the newest published change
    oidc         boolean NOT NULL,
    requested_at timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX account_deletions_unfinished ON account_deletions (requested_at) WHERE finished_at IS NULL;

-- +goose Down
DROP TABLE account_deletions;
DROP INDEX users_email_key;
CREATE UNIQUE INDEX users_email_key ON users (email);
