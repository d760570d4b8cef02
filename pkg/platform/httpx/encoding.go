package httpx

import (
	"strconv"
	"strings"
)

// acceptsGzip reports whether a client that sends these Accept-Encoding headers accepts gzip (RFC 9110, section 12.5.3). A
// client without one may not be able to unpack anything. A malformed weight counts as 0: the plain answer is always right.
func acceptsGzip(headers []string) bool {
	any := false
	for member := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		coding, parameter, weighted := strings.Cut(member, ";")
		accepted := true
		if weighted {
			name, value, _ := strings.Cut(parameter, "=")
			weight, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			accepted = strings.EqualFold(strings.TrimSpace(name), "q") && err == nil && weight > 0 && weight <= 1
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			return accepted
		case "*":
			any = accepted
		}
	}
	return any
}
