// Package accounts registers users, logs them in, and renews their tokens.
//
// Promises:
//
//   - Only the argon2id hash of a password is stored. At most one hash for each processor is computed at the same time, and
//     never more than maxHashing. So a flood of log-ins exhausts neither the memory nor the rest of the service.
//   - A refusal does not reveal whether an account exists. The answer and the work are the same for a log-in with an unknown
//     e-mail, for a log-in with a wrong password, and for a registration with the e-mail of an existing account. (A successful
//     registration reveals that there was no account, but it also creates one. Rate limits make this slow.)
//   - Strangers do not lock the owner of an account out. Their wrong passwords slow further guesses from unknown devices down, by
//     at most a second, and no limit counts an account over all addresses. Passwords are checked in an order that is fair by
//     address, with known devices first. Every queue is bounded.
//   - New passwords are checked by package passwords, and e-mails by package email. Accounts from before keep theirs.
//   - The link of a mail works once, for a limited time, and not after another change of the password. Nothing that the one who
//     asks for it sees depends on whether there is an account.
//   - A password change and a deletion need the current password. A change ends all other sessions. A log-in that was checked
//     against the old password does not start after the change.
//   - A session is a family of refresh tokens. A refresh token is 32 random bytes, and only its hash is stored. It is valid for one
//     use. An access token is valid for minutes and names its session. Services verify it without asking here.
//   - When a session or an account ends, that is committed together with its events and with a row of the revocations, under the
//     user's lock. So every process can learn of it, whatever dies in between, and refuses the access tokens (docs/adr/0031).
//   - A refresh token that is used twice has been copied. Its session ends, and so does the thief's token. There is
//     one exception: within GracePeriod, and while its successor is unused, the second use returns the same successor. The
//     likely cause is then a lost answer, and the user must not be locked out. The family never forks, so a theft is detected
//     when either side uses its token next.
package accounts
