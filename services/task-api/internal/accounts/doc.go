// Package accounts registers users, logs them in and keeps them logged in.
//
// Promises:
//
//   - A password is kept as an argon2id hash only. At most as many are hashed at once as there are processors, so that
//     neither memory nor the rest of the service suffers from a flood of log-ins.
//   - Nothing that is refused tells whether an account exists: the answer is the same, and so is the work, for logging in
//     with an unknown e-mail, with a wrong password, and for registering with the e-mail of another's account. (Who can
//     register a new account has learnt that there was none, at the price of having made it. Rate limits make that slow.)
//   - A password is changed and an account deleted only with the current password. A change ends all other log-ins. A
//     log-in that was checked against the old password does not begin after the change.
//   - An access token lives for minutes and is not asked after again. A refresh token is 32 random bytes of which only
//     the hash is stored; it is good for one use. It belongs to a family, the log-in it came from.
//   - A refresh token that is used a second time has been copied: its family dies, and the thief's token with it. Only
//     within GracePeriod, and only while its successor is unused, the second use gets the same successor again: there
//     the likely cause is an answer that was lost on the way, and locking the user out for that would be wrong. The
//     family never forks, so a theft shows with the next use by either side.
package accounts
