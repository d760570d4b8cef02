-- +goose Up
-- +goose StatementBegin
-- Every checkpoint that the signer signed. A request for the next one begins at the newest one here, so none is left out.
-- Their number is bounded by the number of entries, and by one a second.
CREATE TABLE checkpoints (
    size         bigint      NOT NULL CHECK (size >= 0),
    root         bytea       NOT NULL CHECK (length(root) = 32),
    checkpoint   text        NOT NULL, -- the signed note
    verifier_key text        NOT NULL, -- the public key of the signature
    kept_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (size, checkpoint)
);
REVOKE ALL ON checkpoints FROM audit_app;
GRANT SELECT, INSERT ON checkpoints TO audit_app;
-- +goose StatementEnd
-- There is no Down: a migration must not remove what was signed.
