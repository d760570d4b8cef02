// Package httpapi is the notification service's public API: a user's notifications and preferences.
//
// Promises:
//   - Every route requires an access token and works on the caller's own data. Another user's notification is answered
//     with 404, like one that does not exist.
//   - Unknown parameters and fields are refused by name.
//   - A cursor continues exactly after the last notification of its page, however many arrive meanwhile.
//   - Read and snooze may be repeated without harm.
package httpapi
