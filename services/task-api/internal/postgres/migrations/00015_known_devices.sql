-- +goose Up

-- The devices with which the user has logged in: the service checks the passwords from them first. device is a hash. An
-- account has few of them (accounts.MaxDevices).
CREATE TABLE known_devices (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    device  bytea NOT NULL,
    used_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, device)
);

-- +goose Down
DROP TABLE known_devices;
