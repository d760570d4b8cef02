-- +goose Up

-- Personal API tokens. Only the hash of a token is stored. A revoked token has no row: its end is in table revocations.
CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name         text NOT NULL,
    scope        text NOT NULL CHECK (scope IN ('read', 'write')), -- write includes read
    hash         bytea NOT NULL UNIQUE,                            -- SHA-256 of the token
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    last_used_at timestamptz,                                      -- to the minute
    UNIQUE (user_id, name)
);
CREATE INDEX api_tokens_expires ON api_tokens (expires_at); -- for the pruning

-- +goose Down
DROP TABLE api_tokens;
