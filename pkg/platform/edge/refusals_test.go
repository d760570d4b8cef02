package edge

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRefusedConnectionsAreLoggedNowAndThen(t *testing.T) {
	var out bytes.Buffer
	r := NewRefusals(slog.New(slog.NewTextHandler(&out, nil)), "connections are refused")
	begin := time.Now()
	for i := range 100 {
		r.Add("2001:db8::/64", http.StatusTooManyRequests, begin.Add(time.Duration(i)*time.Millisecond))
	}
	r.Add("2001:db8::/64", http.StatusTooManyRequests, begin.Add(reportEvery))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "address=2001:db8::/64 status=429 refused_in_all=1") || !strings.Contains(lines[1], "refused_in_all=100") {
		t.Errorf("got %q, want a line for the first and one for the 100 after it", lines)
	}
}
