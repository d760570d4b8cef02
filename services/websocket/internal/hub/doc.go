// Package hub gives every connection each change of its user exactly once and in order, whatever the deliveries do.
//
// # How
//
// A connection is a Member with one number: last, the seq it was sent last. Nothing but last+1 is ever sent next, so an
// event that comes twice changes nothing and one that comes too early waits. Where the next one is not at hand, the
// changes are read from the task API (Source), one read at a time for a user and for all of the user's members together:
// after a join, after a gap, and when a sweep (each second) shows that the task API is ahead of what arrived. So a lost
// delivery costs a read, never an event, and nothing about a user has to be kept in memory to be right: the window of
// events that came too early only saves reads.
//
// # Lifecycle
//
// Join adds a member, Update and Notify bring deliveries and never wait for a connection, Leave removes the member. A
// user without members is forgotten. Run sweeps until its context ends.
//
// # Promises
//
//   - A member is sent each seq after its since exactly once, ascending, or a resync frame that says up to where it must
//     read by itself. It is never silently behind for longer than a sweep while the task API answers; while it does not,
//     members stay and reads are tried again.
//   - A member whose account is gone is closed with the code account_gone by the first read that finds it so: at once where
//     it comes back or has missed something. One that has missed nothing sees its tasks go, and stays until its token ends.
//   - A member whose queue is full is closed with the code slow: it comes back with its last seq and loses nothing.
//   - Memory for a user is bounded: Limits.Window events, a page of a read, seenMax ids.
//   - Locks are taken in the order user, then a sink's own. Nobody is evicted under a lock that a broadcast holds.
package hub
