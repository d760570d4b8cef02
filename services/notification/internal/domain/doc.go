// Package domain is the reminder engine and a user's notifications: when a reminder is delivered, as what, and what
// its user may do with it.
//
// # Promises
//
//   - A reminder is delivered once: the notification, its delivery, its event and the reminder's new state commit in one
//     transaction, and the notification's id follows from the task, remind_at and the task's version.
//   - It is delivered at remind_at or, when that falls into the user's quiet hours, at their end. When the service was
//     down at that time it is delivered as soon as the service is back, marked late.
//   - It is not delivered when its task was completed, deleted or rescheduled before: the newest event of a task decides,
//     in whatever order the events arrive.
//   - The engine needs no outside wake-up. The cron binding and a new reminder wake it early; its own timer suffices.
//   - What is kept of an account that was deleted goes soon after it, whatever of it arrives late.
//   - One user never sees or changes another user's notifications; theirs are ErrNotFound.
package domain
