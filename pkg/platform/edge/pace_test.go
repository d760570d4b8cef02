package edge

import (
	"testing"
	"time"
)

func TestPaceCountsBytesAndWaiting(t *testing.T) {
	p := Pace{Stall: 10 * time.Second, Rate: 100}
	for _, c := range []struct {
		got    int64
		waited time.Duration
		want   time.Duration
	}{
		{0, 0, 10 * time.Second},
		{0, 4 * time.Second, 6 * time.Second},
		{1, 10 * time.Second, 10 * time.Millisecond},
		{100, 10 * time.Second, time.Second},
		{1000, 20 * time.Second, 0},
		{1000, 10 * time.Second, 10 * time.Second},
		{1 << 30, 10 * time.Second, 10 * time.Second}, // credit never allows a longer stall
	} {
		if got := p.patience(c.got, c.waited); got != c.want {
			t.Errorf("patience(%d, %s): got %s, want %s", c.got, c.waited, got, c.want)
		}
	}
}

// A slow body is answered within 15 seconds of its connection.
func TestTheUsualTimesAnswerASlowBodyInTime(t *testing.T) {
	p := NewPatience(5*time.Second, time.Minute)
	if latest := p.Body.Stall + p.Drain; latest > 15*time.Second {
		t.Errorf("a body of one byte a second ends after %s, want 15 s at most", latest)
	}
}
