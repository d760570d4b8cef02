// Package postgres stores reminders, notifications, their deliveries and changes, and the users' preferences in the database
// notifications.
//
// Promises:
//   - Writes that belong together are one transaction, with their events in the outbox.
//   - A task's reminder is fenced on task_version: an older event never overwrites a newer one.
//   - Due rows are claimed with FOR UPDATE SKIP LOCKED, so replicas share the work. They wait for one another only where both
//     have claimed reminders of one user.
//   - The changes of a user's inbox are numbered under a lock, so the numbers have no gaps and follow the commits
//     (sequence.go).
//   - Every read and write of a user's data names the user.
package postgres
