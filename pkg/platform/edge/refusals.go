package edge

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// reportEvery is the least time between two lines of a Refusals: a flood must not fill the log.
const reportEvery = 10 * time.Second

// Refusals writes log lines about what is refused because an address, or all of them, have as much as they may. It is safe for
// concurrent use.
type Refusals struct {
	log     *slog.Logger // may be nil
	message string
	mu      sync.Mutex
	last    time.Time
	count   int // since the last line
}

// NewRefusals returns one whose lines have the message. log may be nil.
func NewRefusals(log *slog.Logger, message string) *Refusals {
	return &Refusals{log: log, message: message}
}

// Add counts a refusal, and writes a line unless there was one just before. The line names the address of this client
// (address.Key), and how many were refused since the last line, of all addresses.
func (r *Refusals) Add(address string, status int, now time.Time) {
	if r.log == nil {
		return
	}
	r.mu.Lock()
	r.count++
	count, due := r.count, r.last.IsZero() || now.Sub(r.last) >= reportEvery
	if due {
		r.count, r.last = 0, now
	}
	r.mu.Unlock()
	if due {
		r.log.WarnContext(context.Background(), r.message, "address", address, "status", status, "refused_in_all", count)
	}
}
