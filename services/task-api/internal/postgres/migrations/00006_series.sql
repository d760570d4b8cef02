-- +goose Up

-- Every column has a constant default or none, so that no row is rewritten and the previous version of the service can go on
-- writing. That version always stores the rule's zone, and does not know whether it was given.
ALTER TABLE tasks
    ADD COLUMN start_date       date,
    ADD COLUMN start_at         timestamptz,
    ADD COLUMN start_clock      bigint,                         -- as due_clock
    ADD COLUMN rrule_zone_given boolean NOT NULL DEFAULT false, -- false: the rule's zone is the task's
    ADD COLUMN rrule_catch_up   text,                           -- null: next
    ADD COLUMN rrule_exdates    jsonb,                          -- a list of days (YYYY-MM-DD), ascending
    ADD COLUMN series_ends      boolean NOT NULL DEFAULT false,
    ADD COLUMN series_pattern   jsonb,                          -- domain.Pattern of an exception
    ADD COLUMN engine_version   bigint NOT NULL DEFAULT 0,      -- see domain.Task
    ADD CONSTRAINT tasks_one_start CHECK (start_date IS NULL OR start_at IS NULL) NOT VALID;
UPDATE tasks SET rrule_zone_given = true WHERE rrule_zone <> timezone;

-- +goose Down
ALTER TABLE tasks
    DROP COLUMN start_date, DROP COLUMN start_at, DROP COLUMN start_clock, DROP COLUMN rrule_zone_given, DROP COLUMN rrule_catch_up,
    DROP COLUMN rrule_exdates, DROP COLUMN series_ends, DROP COLUMN series_pattern, DROP COLUMN engine_version;
