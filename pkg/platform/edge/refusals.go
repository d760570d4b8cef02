package edge

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/address"
)

// reportEvery is the least time between two lines about refused connections: a flood must not fill the log.
const reportEvery = 10 * time.Second

// refusals writes log lines about refused connections.
type refusals struct {
	log   *slog.Logger // may be nil
	mu    sync.Mutex
	last  time.Time
	count int // since the last line
}

// add counts a refused connection, and writes a line unless there was one just before. The line names the address of this
// connection, and how many were refused since the last line, of all addresses.
func (r *refusals) add(from netip.Addr, status int, now time.Time) {
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
		r.log.WarnContext(context.Background(), "connections are refused", "address", address.Key(from), "status", status, "refused_in_all", count)
	}
}
