// Which process holds a port.

package ports

import (
	"context"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
)

const (
	// holderTimeout bounds the search, which reads the open files of every process.
	holderTimeout = 5 * time.Second
	// listening is gopsutil's name for the state of a socket that waits for connections.
	listening = "LISTEN"
)

// Holder names the process that listens on port, as "nginx (pid 12)". It returns "" where that cannot be known: only root
// sees the processes of other users.
func Holder(port int) string {
	ctx, cancel := context.WithTimeout(context.Background(), holderTimeout)
	defer cancel()
	sockets, err := net.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return ""
	}
	for _, s := range sockets {
		if int(s.Laddr.Port) != port || s.Status != listening || s.Pid == 0 {
			continue
		}
		name, err := (&process.Process{Pid: s.Pid}).NameWithContext(ctx)
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %d)", name, s.Pid)
	}
	return ""
}
