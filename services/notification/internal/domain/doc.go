// Package domain contains the reminder engine and the users' notifications. It decides when a reminder is delivered, with
// which content, and what the user may do with the notification.
//
// # Promises
//
//   - A reminder is delivered once. The notification, its delivery, its event and the reminder's new state commit in one
//     transaction, and the notification's id is derived from the task, remind_at and the task's version.
//   - The changes of a user's inbox are numbered from 1 without gaps, in the order of their commits, and published in that
//     order. Each has the number of unread notifications right after it (docs/adr/0025).
//   - The text of a notification is in the user's zone as it is when the notification is made. It names the day of a task
//     that has no time of day.
//   - A reminder is delivered at remind_at, or at the end of the user's quiet hours when remind_at falls into them. When
//     the service was down at that time, it delivers the reminder as soon as it runs again, and marks it as late.
//   - A reminder is not delivered when its task was completed, deleted or rescheduled before. The newest event of a task
//     decides, in any order of arrival.
//   - The engine's own timer suffices. The cron binding and new reminders only wake it earlier.
//   - The data of a deleted account is removed soon after the account, even data that arrives late.
//   - A user cannot see or change another user's notifications. The operations return ErrNotFound.
package domain
