package ports

import (
	"os"
	"strconv"
	"strings"
)

// freeRange lies below the range that the kernel takes for outgoing connections, where that leaves enough ports.
func freeRange() (low, high int) {
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if fields := strings.Fields(string(raw)); len(fields) == 2 {
			if first, err := strconv.Atoi(fields[0]); err == nil && first > lowest+attempts {
				return lowest, min(first, fallbackHighest)
			}
		}
	}
	return lowest, fallbackHighest
}
