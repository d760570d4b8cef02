package hub

import "time"

// MaxHeads is how many users one Heads call may name: the limit of the services that keep the streams.
const MaxHeads = 1000

// The limits of the service.
const (
	// defaultPerUser allows for every tab and device of a user, and stops a client that opens connections in a loop.
	defaultPerUser = 50
	// defaultReplay: for a larger gap, /sync costs the client less than a replay.
	defaultReplay = 1000
	// defaultPage keeps an answer with the largest tasks (70 kB each) below the sidecar's limit of 4 MB.
	defaultPage = 50
	// defaultWindow holds what a user can change within the time of one read.
	defaultWindow = 256
	// defaultReads is what a service bears when every client reconnects at once.
	defaultReads = 32
	// defaultSweep bounds how long a lost delivery can go unnoticed. One call covers MaxHeads users.
	defaultSweep = time.Second
	// defaultGrace is ten times the usual time from commit to delivery.
	defaultGrace = 150 * time.Millisecond
	// defaultGone leaves as much as possible of the 5 s that the protocol promises to the deletions of the account's tasks.
	defaultGone = 4500 * time.Millisecond
	// defaultGoneMin lets the deletions arrive if the account was not seen for a while. With two sweeps before it, an open
	// connection ends within the 5 s.
	defaultGoneMin = 2 * time.Second
	// defaultRetryMin is short, because the usual cause is a sidecar that restarts.
	defaultRetryMin = 100 * time.Millisecond
	// defaultRetryMax bounds how long members wait after a service is back.
	defaultRetryMax = 2 * time.Second
)

const (
	// maxIncomplete is how many times in a row the source may claim newer events without returning them. After that the
	// members resync.
	maxIncomplete = 5
	// maxRecentIDs is how many ids of events without a number are stored for a user, to find duplicates. A duplicate arrives within
	// about a second: a killed sidecar repeats that much.
	maxRecentIDs = 128
	// retryMultiplier doubles the pause after each failed read.
	retryMultiplier = 2
	// retryJitter spreads the reads of many users: a pause is 50 % to 150 % of its interval.
	retryJitter = 0.5
)

// Limits are the hub's bounds and intervals.
type Limits struct {
	PerUser  int           // members of one user
	Replay   int64         // events: a member with a larger gap resyncs
	Page     int           // events in one read
	Window   int           // early events stored for one stream of a user
	Reads    int           // concurrent reads of one stream, of all users
	Sweep    time.Duration // between two sweeps
	Grace    time.Duration // how late an event may arrive before a sweep treats it as lost
	Gone     time.Duration // from the last answer that has an account to the end of its connections
	GoneMin  time.Duration // from the first answer that does not have it to their end, at least
	RetryMin time.Duration // the first pause after a failed read
	RetryMax time.Duration // the longest pause, before jitter
}

// DefaultLimits returns the limits of the service.
func DefaultLimits() Limits {
	return Limits{
		PerUser: defaultPerUser, Replay: defaultReplay, Page: defaultPage, Window: defaultWindow, Reads: defaultReads,
		Sweep: defaultSweep, Grace: defaultGrace, Gone: defaultGone, GoneMin: defaultGoneMin, RetryMin: defaultRetryMin, RetryMax: defaultRetryMax,
	}
}
