// Package domain says what a task is, what may be written into it and what becomes of it. It is pure: no clock, no
// database, no HTTP. Whoever stores a task passes it through here, so every task and every event obeys the same rules.
//
// Promises:
//
//   - A task that came out of New, Apply or one of the lifecycle functions is valid: texts are NFC and within their
//     limits, it has one due date at most, a reminder only with a due date, a recurrence only with a due date and of
//     the subset of package recurrence.
//   - A function that changes nothing returns the task as it was, equal in every field: Diff of the two is empty, and
//     the caller makes no event and no new version.
//   - What is refused is refused by the field's name, all fields at once, as *Invalid.
package domain
