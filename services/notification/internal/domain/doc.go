// Package domain is the reminder engine and a user's notifications. It decides when a reminder is delivered, with which
// content, and what its user may do with it.
//
// # Promises
//
//   - A reminder is delivered once. The notification, its delivery, its event and the reminder's new state commit in one
//     transaction, and the notification's id is derived from the task, remind_at and the task's version.
//   - It is delivered at remind_at, or at the end of the user's quiet hours when remind_at falls into them. When the
//     service was down at that time, it is delivered as soon as the service is back, marked late.
//   - It is not delivered when its task was completed, deleted or rescheduled before. The newest event of a task decides,
//     in any order of arrival.
//   - The engine's own timer suffices. The cron binding and new reminders only wake it earlier.
//   - The data of a deleted account is removed soon after the account, even data that arrives late.
//   - One user never sees or changes another user's notifications. They are ErrNotFound.
package domain
