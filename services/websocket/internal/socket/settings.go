package socket

import "time"

// Settings are the bounds and intervals of connections.
type Settings struct {
	MaxConns    int           // connections of the process; one idle costs about 6 KiB (BenchmarkIdleConnection)
	MaxPending  int           // connections that have not sent a valid token yet: strangers must not take all places
	QueueFrames int           // frames that may wait for one connection; half of it is left to live events while it catches up
	QueueBytes  int           // bytes that may wait for one connection, beyond the first frame
	ReadLimit   int64         // bytes of a client's frame: a token and a number fit many times
	Frames      int           // frames of a client in one second, pings and pongs too
	Heartbeat   time.Duration // between pings: below the 30 to 60 s after which proxies cut silent connections
	Tick        time.Duration // how often heartbeats and expired tokens are looked at
	AuthWait    time.Duration // from the handshake to the auth frame
	WriteWait   time.Duration // for one frame to leave
	CloseWait   time.Duration // for the peer to read what is on its way and answer the close frame: a slow one needs a while
	Spread      time.Duration // the longest delay that Drain asks a client to wait
}

// DefaultSettings are the settings of the service.
func DefaultSettings() Settings {
	return Settings{
		MaxConns: 20_000, MaxPending: 1000, QueueFrames: 256, QueueBytes: 1 << 20, ReadLimit: 16 << 10, Frames: 20,
		Heartbeat: 25 * time.Second, Tick: time.Second, AuthWait: 5 * time.Second, WriteWait: 10 * time.Second,
		CloseWait: 5 * time.Second, Spread: 5 * time.Second,
	}
}

// peerWait is how long a peer may be silent: two pings may be lost, the third must be answered.
func (s Settings) peerWait() time.Duration { return 2*s.Heartbeat + s.WriteWait }
