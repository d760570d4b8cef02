-- +goose Up
-- The search for deleted accounts reads one user after the other, and then removes all rows of a deleted user.
CREATE INDEX reminders_by_user ON reminders (user_id);

-- +goose Down
DROP INDEX reminders_by_user;
