// Package revocation keeps a process's set of revocations (auth.Revocations) up to date: the sessions, personal API tokens and
// accounts that have ended, and the roles that have changed, while access tokens from before are still valid.
//
// There are two ways, and either is enough. The account events come by the fan-out component: each process gets each event,
// within milliseconds. And the process asks the source, which is the task API, or in the task API its database: at its start
// for everything, and then every PollEvery for what is newer. So an event that a process did not get (its consumer group was
// new, its sidecar restarted, the broker was away) takes effect a moment later, and no request has to ask.
//
// Promises:
//   - What ends a session takes effect in every process within 5 s, as long as the process can reach the broker or the task API.
//   - Before the first answer of the source the set is not loaded: the service is not ready, and answers 503 instead of
//     admitting a session that may have ended.
//   - While the source is away, the last known set stays, account events still count, and SessionsUnknown alerts.
//   - An entry may come several times, late and in any order. An entry that cannot be used is logged and skipped; the others
//     of its page count.
package revocation
