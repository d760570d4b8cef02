-- +goose Up
-- The look for accounts that are gone goes from user to user, and then removes all that a user has.
CREATE INDEX reminders_by_user ON reminders (user_id);

-- +goose Down
DROP INDEX reminders_by_user;
