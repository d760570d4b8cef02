// Package httpapi is the notification service's public API: a user's notifications and preferences.
//
// Promises: every route asks for an access token and works on the caller's own data; another user's notification is 404,
// as one that does not exist. Unknown parameters and fields are refused by name. A cursor goes on exactly behind the last
// notification of its page, however many come in meanwhile. Reading and snoozing may be repeated without harm.
package httpapi
