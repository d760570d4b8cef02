// Package postgres stores reminders, notifications, their deliveries and the users' preferences in the database
// notifications.
//
// Promises:
//   - Writes that belong together are one transaction, with their events in the outbox.
//   - A task's reminder is fenced on task_version: an older event never overwrites a newer one.
//   - Due rows are claimed with FOR UPDATE SKIP LOCKED, so replicas share the work and never wait for one another.
//   - Every read and write of a user's data names the user.
package postgres
