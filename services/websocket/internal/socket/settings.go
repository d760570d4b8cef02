package socket

import "time"

// The settings of the service.
const (
	// defaultMaxConns needs 120 MB: an idle connection costs about 6 KiB (BenchmarkIdleConnection).
	defaultMaxConns = 20_000
	// defaultMaxPending keeps clients without a token from using all of MaxConns.
	defaultMaxPending = 1000
	// defaultMaxPerAddress keeps one address from using all of MaxConns. It is enough for a campus behind one address.
	defaultMaxPerAddress = 5000
	// defaultMaxPendingPerAddress keeps one address from using all of MaxPending. A browser is pending for one round trip, so
	// even the return of a campus after a restart, spread over seconds, stays below.
	defaultMaxPendingPerAddress = 250
	// defaultQueueFrames is five pages of a replay (hub.Limits.Page).
	defaultQueueFrames = 256
	// defaultQueueBytes holds about a dozen of the largest tasks (70 kB).
	defaultQueueBytes = 1 << 20
	// defaultReadLimit is several times an access token and a number.
	defaultReadLimit = 16 << 10
	// defaultFramesPerSecond is far more than a page sends: one auth, and a ping every few seconds.
	defaultFramesPerSecond = 20
	// defaultHeartbeat is below the 30 to 60 s after which proxies cut silent connections.
	defaultHeartbeat = 25 * time.Second
	// defaultTick bounds how long a connection outlives its token.
	defaultTick = time.Second
	// defaultAuthWait is one round trip on a slow mobile network, several times over.
	defaultAuthWait = 5 * time.Second
	// defaultWelcomeWait leaves a second of the 5 s within which the protocol promises an answer to an auth frame: for the way,
	// and for a busy machine. A restarting sidecar is back within this time.
	defaultWelcomeWait = 4 * time.Second
	// defaultWriteWait: a peer that takes no byte for so long has gone.
	defaultWriteWait = 10 * time.Second
	// defaultCloseWait lets a slow peer read what is on its way before the close frame.
	defaultCloseWait = 5 * time.Second
	// defaultSpread spreads the return of MaxConns clients to some thousand handshakes a second.
	defaultSpread = 5 * time.Second
)

const (
	// initialQueue is the capacity of an empty queue that a connection retains. A larger one is released.
	initialQueue = 4
	// floodPause is how long a peer that floods the connection gets to read why it is closed. Nothing is read from it
	// meanwhile, so the flood stops at its own buffers.
	floodPause = 500 * time.Millisecond
	// lingerBytes is how much of a too large frame is read and discarded, so that a reset does not overtake the close frame.
	lingerBytes = 256 << 10
	// missedPings is how many pings may go unanswered.
	missedPings = 2
)

// Settings are the bounds and intervals of connections.
type Settings struct {
	MaxConns             int           // connections of the process
	MaxPending           int           // connections that have not sent a valid token yet
	MaxPerAddress        int           // connections of one address (httpx.AddressKey)
	MaxPendingPerAddress int           // of them, that have not sent a valid token yet
	QueueFrames          int           // frames waiting for one connection. A replay uses at most half of it
	QueueBytes           int           // bytes waiting for one connection, not counting the first frame
	ReadLimit            int64         // bytes of a client's frame
	FramesPerSecond      int           // frames of one client: every part of a message, and pings and pongs
	Heartbeat            time.Duration // between two pings
	Tick                 time.Duration // between two checks for heartbeats and expired tokens
	AuthWait             time.Duration // from the handshake to the auth frame
	WelcomeWait          time.Duration // from the auth frame to the welcome frame or the close frame
	WriteWait            time.Duration // for one write
	CloseWait            time.Duration // for the peer to answer the close frame
	Spread               time.Duration // the longest retry that Drain sends
}

// DefaultSettings returns the settings of the service.
func DefaultSettings() Settings {
	return Settings{
		MaxConns: defaultMaxConns, MaxPending: defaultMaxPending,
		MaxPerAddress: defaultMaxPerAddress, MaxPendingPerAddress: defaultMaxPendingPerAddress, QueueFrames: defaultQueueFrames, QueueBytes: defaultQueueBytes,
		ReadLimit: defaultReadLimit, FramesPerSecond: defaultFramesPerSecond, Heartbeat: defaultHeartbeat, Tick: defaultTick,
		AuthWait: defaultAuthWait, WelcomeWait: defaultWelcomeWait, WriteWait: defaultWriteWait, CloseWait: defaultCloseWait,
		Spread: defaultSpread,
	}
}

// peerWait returns how long a peer may be silent.
func (s Settings) peerWait() time.Duration { return missedPings*s.Heartbeat + s.WriteWait }
