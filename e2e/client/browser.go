package client

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Frame is one message of the server, of any type.
type Frame struct {
	Type           string          `json:"type"`
	Seq            int64           `json:"seq"`
	EventID        string          `json:"event_id"`
	EventType      string          `json:"event_type"`
	TaskID         string          `json:"task_id"`
	TaskVersion    int64           `json:"task_version"`
	Task           json.RawMessage `json:"task"`
	NotificationID string          `json:"notification_id"`
	Title          string          `json:"title"`
	Late           bool            `json:"late"`
	Reason         string          `json:"reason"`
	Code           any             `json:"code"`
	Message        string          `json:"message"`
	Retry          *int64          `json:"retry"` // milliseconds
}

// Browser is an open page: it connects, says since which seq it knows the world, and when its connection ends it
// connects again from the last seq it saw. It records every frame.
type Browser struct {
	u     *User
	since int64
	stop  chan struct{}
	done  chan struct{}

	mu     sync.Mutex
	events []Frame
	notes  []Frame
	others []Frame
	opened int
	conn   *websocket.Conn
}

// OpenBrowser starts a browser and waits for its first welcome.
func OpenBrowser(t testing.TB, u *User, since int64) *Browser {
	t.Helper()
	b := &Browser{u: u, since: since, stop: make(chan struct{}), done: make(chan struct{})}
	go b.run()
	t.Cleanup(b.Close)
	Eventually(t, 30*time.Second, "welcome on the WebSocket", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.opened == 0 {
			return fmt.Errorf("no welcome yet; other frames: %+v", b.others)
		}
		return nil
	})
	return b
}

// Close ends it.
func (b *Browser) Close() {
	select {
	case <-b.stop:
	default:
		close(b.stop)
	}
	b.mu.Lock()
	if b.conn != nil {
		b.conn.Close()
	}
	b.mu.Unlock()
	<-b.done
}

func (b *Browser) run() {
	defer close(b.done)
	for {
		wait := b.session()
		select {
		case <-b.stop:
			return
		case <-time.After(wait):
		}
	}
}

// reconnectPause is what a browser waits that was told nothing.
const reconnectPause = 100 * time.Millisecond

// session is one connection, from dialling to its end, and how long to wait before the next one: a service that goes away
// in order says so.
func (b *Browser) session() (wait time.Duration) {
	wait = reconnectPause
	dialer := websocket.Dialer{Subprotocols: []string{"taskwire.v1"}, HandshakeTimeout: 5 * time.Second}
	url := "ws" + strings.TrimPrefix(b.u.Base, "http") + "/ws"
	conn, resp, err := dialer.Dial(url, http.Header{"Origin": {b.u.Base}})
	if err != nil {
		return wait
	}
	resp.Body.Close()
	defer conn.Close()
	b.mu.Lock()
	b.conn = conn
	since := b.since
	b.mu.Unlock()
	if conn.WriteJSON(map[string]any{"type": "auth", "token": b.u.Token, "since": since}) != nil {
		return wait
	}
	for {
		var f Frame
		if err := conn.ReadJSON(&f); err != nil {
			return wait
		}
		b.mu.Lock()
		switch f.Type {
		case "event":
			b.events = append(b.events, f)
			b.since = f.Seq
		case "notification":
			b.notes = append(b.notes, f)
		case "welcome":
			b.opened++
		case "error":
			if f.Retry != nil && (f.Code == "restarting" || f.Code == "unavailable") {
				wait = time.Duration(*f.Retry) * time.Millisecond
				break
			}
			fallthrough
		default:
			b.others = append(b.others, f)
		}
		b.mu.Unlock()
	}
}

// SawAll says whether the browser has seen every seq in (from, to] exactly once and in order, and no resync.
func (b *Browser) SawAll(from, to int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.others) > 0 {
		return fmt.Errorf("unexpected frames: %+v", b.others)
	}
	next := from + 1
	for i, f := range b.events {
		if f.Seq != next {
			return fmt.Errorf("event %d has seq %d, want %d", i, f.Seq, next)
		}
		next++
	}
	if next != to+1 {
		return fmt.Errorf("saw seq up to %d, want %d", next-1, to)
	}
	return nil
}

// Notifications are those that it got so far.
func (b *Browser) Notifications() []Frame {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Frame(nil), b.notes...)
}

// ToldToResync says whether the server has told the page to start over with GET /sync.
func (b *Browser) ToldToResync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.ContainsFunc(b.others, func(f Frame) bool { return f.Type == "resync" }) {
		return fmt.Errorf("no resync among %+v", b.others)
	}
	return nil
}
