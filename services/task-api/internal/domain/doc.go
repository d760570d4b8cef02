// Package domain defines a task, the rules for its values, and its lifecycle. It uses no clock, no database and no HTTP. Every
// write of a task goes through this package, so every task and every event obeys the same rules.
//
// Promises:
//
//   - New, Import, Replace, Patch and the lifecycle functions return a valid task. Texts are in NFC and within their limits. It
//     has at most one due date. A reminder and a recurrence need a due date. The recurrence is a rule that package recurrence
//     accepts.
//   - A function that changes nothing returns a task that is equal in every field. Diff of the two is then empty, and the caller
//     makes no event and no new version.
//   - The error about invalid values is an *Invalid. It names all invalid fields at once.
package domain
