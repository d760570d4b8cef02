package client

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

const (
	// welcomeTimeout bounds how long a page waits for its first welcome: a service may be restarting.
	welcomeTimeout = 30 * time.Second
	// handshakeTimeout bounds the HTTP upgrade.
	handshakeTimeout = 5 * time.Second
	// reconnectPause is the pause before the next connection when the server did not ask for another one.
	reconnectPause = 100 * time.Millisecond
)

// Browser is an open page. It connects with the last numbers that it knows, and when its connection ends it connects again
// after the last numbers that it saw. It records every frame. It is safe for concurrent use.
type Browser struct {
	u    *User
	stop chan struct{}
	done chan struct{}

	mu            sync.Mutex
	since         int64
	inboxSince    *int64 // nil: it starts at the newest notification, and the server has not said yet where that is
	inboxFrom     int64  // where its notifications began
	events        []live.Event
	notifications []live.Notification
	unexpected    []any       // other frames, and errors of decoding one
	ended         *live.Error // why it must not connect again
	welcomes      int
	conn          *websocket.Conn
}

// OpenBrowser starts a browser that has every change up to since, and gets new notifications. It waits for its first welcome,
// and until it knows where its notifications begin: the server says that later if the notification service does not answer in
// time. The test's cleanup closes it.
func OpenBrowser(t testing.TB, u *User, since int64) *Browser {
	t.Helper()
	return open(t, &Browser{u: u, since: since})
}

// OpenBrowserAt is OpenBrowser for a browser that has every notification up to inboxSince.
func OpenBrowserAt(t testing.TB, u *User, since, inboxSince int64) *Browser {
	t.Helper()
	return open(t, &Browser{u: u, since: since, inboxSince: &inboxSince, inboxFrom: inboxSince})
}

func open(t testing.TB, b *Browser) *Browser {
	t.Helper()
	b.stop, b.done = make(chan struct{}), make(chan struct{})
	go b.run()
	t.Cleanup(b.Close)
	Eventually(t, welcomeTimeout, "welcome on the WebSocket", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.welcomes == 0 || b.inboxSince == nil {
			return fmt.Errorf("%d welcomes, and where notifications begin is known: %t; other frames: %+v", b.welcomes, b.inboxSince != nil, b.unexpected)
		}
		return nil
	})
	return b
}

// Close ends the browser and waits until it has ended.
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
		pause := b.session()
		if b.Ended() != nil {
			return
		}
		select {
		case <-b.stop:
			return
		case <-time.After(pause):
		}
	}
}

// session is one connection. It returns the pause before the next one.
func (b *Browser) session() (pause time.Duration) {
	pause = reconnectPause
	dialer := websocket.Dialer{Subprotocols: []string{live.Subprotocol}, HandshakeTimeout: handshakeTimeout}
	url := "ws" + strings.TrimPrefix(b.u.Base, "http") + "/ws"
	conn, resp, err := dialer.Dial(url, http.Header{"Origin": {b.u.Base}})
	if err != nil {
		return pause
	}
	resp.Body.Close()
	defer conn.Close()
	b.mu.Lock()
	b.conn = conn
	since, inboxSince := b.since, b.inboxSince
	b.mu.Unlock()
	auth, err := live.Auth{Token: b.u.Token, Since: &since, NotificationsSince: inboxSince}.Encode()
	if err != nil || conn.WriteMessage(websocket.TextMessage, auth) != nil {
		return pause
	}
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return pause
		}
		if asked := b.take(raw); asked > 0 {
			pause = asked
		}
	}
}

// take records a frame. It returns the pause that a service asks for when it restarts or is not available.
func (b *Browser) take(raw []byte) (pause time.Duration) {
	frame, err := live.DecodeServer(raw)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.unexpected = append(b.unexpected, err)
		return 0
	}
	switch f := frame.(type) {
	case live.Event:
		b.events = append(b.events, f)
		b.since = f.Seq
		return 0
	case live.Notification:
		b.notifications = append(b.notifications, f)
		if f.NotificationSeq > 0 {
			b.inboxSince = &f.NotificationSeq
		}
		return 0
	case live.Welcome:
		b.welcomes++
		if f.NotificationSeq != nil {
			b.inboxBegins(*f.NotificationSeq)
		}
		return 0
	case live.Resync:
		if f.Stream == live.StreamNotifications && f.Reason == live.ReasonUnavailable && b.inboxSince == nil {
			b.inboxBegins(f.Seq)
			return 0
		}
	case live.Error:
		if f.Action() == live.Stop {
			b.ended = &f
			return 0
		}
		if f.Retry != nil && slices.Contains([]string{live.Restarting.String(), live.Unavailable.String()}, f.Code) {
			return f.RetryAfter()
		}
	}
	b.unexpected = append(b.unexpected, frame)
	return 0
}

// inboxBegins records where the notifications begin, unless that is known.
func (b *Browser) inboxBegins(seq int64) {
	if b.inboxSince == nil {
		b.inboxSince, b.inboxFrom = &seq, seq
	}
}

// SawAll returns an error unless the browser has seen every seq in (from, to] exactly once and in order, and no unexpected
// frame such as a resync. An unexpected frame or another order is Final.
func (b *Browser) SawAll(from, to int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.unexpected) > 0 {
		return Final(fmt.Errorf("unexpected frames: %+v", b.unexpected))
	}
	next := from + 1
	for i, f := range b.events {
		if f.Seq != next {
			return Final(fmt.Errorf("event %d has seq %d, want %d", i, f.Seq, next))
		}
		next++
	}
	if next != to+1 {
		return fmt.Errorf("saw seq up to %d, want %d", next-1, to)
	}
	return nil
}

// SawInbox returns an error unless the browser has seen every notification_seq since it began exactly once and in order, and
// each of the given notifications exactly once.
func (b *Browser) SawInbox(inbox []Notification) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.unexpected) > 0 {
		return fmt.Errorf("unexpected frames: %+v", b.unexpected)
	}
	shown := map[string]int{}
	for i, f := range b.notifications {
		if want := b.inboxFrom + 1 + int64(i); f.NotificationSeq != want {
			return fmt.Errorf("notification %d has the number %d, want %d", i, f.NotificationSeq, want)
		}
		if f.EventType == events.Added {
			shown[f.NotificationID]++
		}
	}
	for _, n := range inbox {
		if shown[n.ID] != 1 {
			return fmt.Errorf("notification %s of task %s was shown %d times, want once; %d of %d were shown", n.ID, n.TaskID, shown[n.ID], len(shown), len(inbox))
		}
	}
	return nil
}

// Ended returns the error frame after which the browser must not connect again, or nil.
func (b *Browser) Ended() *live.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// Notifications returns the notifications so far.
func (b *Browser) Notifications() []live.Notification {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.notifications)
}

// ToldToResync returns an error unless the server has told the page to start over with GET /sync.
func (b *Browser) ToldToResync() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.unexpected {
		if _, ok := f.(live.Resync); ok {
			return nil
		}
	}
	return errors.Join(errors.New("no resync"), fmt.Errorf("other frames: %+v", b.unexpected))
}
