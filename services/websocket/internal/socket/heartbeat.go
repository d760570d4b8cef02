package socket

import (
	"context"
	"time"

	"github.com/taskwire/taskwire/pkg/events/live"
)

// Run pings the connections and closes those whose token has expired, until ctx is done. It returns nil. The pings of a
// heartbeat are spread over its ticks.
func (p *Pool) Run(ctx context.Context) error {
	ticker := time.NewTicker(p.set.Tick)
	defer ticker.Stop()
	ticks := max(1, int(p.set.Heartbeat/p.set.Tick))
	for tick := 0; ; tick = (tick + 1) % ticks {
		select {
		case <-ctx.Done():
			return nil
		case now := <-ticker.C:
			for _, c := range p.all() {
				expires := c.expires.Load()
				switch {
				case expires != 0 && now.UnixNano() >= expires:
					c.Close(live.TokenExpired.Closing())
				case c.slot%ticks == tick:
					c.Ping()
				}
			}
		}
	}
}
