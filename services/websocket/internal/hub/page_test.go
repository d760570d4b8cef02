package hub_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/hub"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

// page is a client in memory. It records what it was sent: "welcome 3 7" with the places of both streams, "4" for an event,
// "n8" for a notification, "event ID" and "notification ID" for one without a number, "resync STREAM REASON 9".
type page struct {
	mu     sync.Mutex
	got    []string
	early  []string // pushed before Open
	open   bool
	queued int // frames that take has not taken
	bound  int // of queued; 0: none
	waker  hub.Waker
	closed *live.Closing
	unread *int64 // as the welcome frame said
}

func (p *page) Open(w live.Welcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		p.got = append(p.got, "a second welcome")
	}
	p.open, p.unread = true, w.Unread
	welcome := fmt.Sprint("welcome ", w.Seq, " -")
	if w.NotificationSeq != nil {
		welcome = fmt.Sprint("welcome ", w.Seq, " ", *w.NotificationSeq)
	}
	p.got = append(append(p.got, welcome), p.early...)
	p.early = nil
}

func (p *page) Push(f *wire.Frame) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bound > 0 && p.queued >= p.bound {
		return false
	}
	p.queued++
	if p.open {
		p.got = append(p.got, show(f))
	} else {
		p.early = append(p.early, show(f))
	}
	return true
}

func (p *page) HasCapacity(w hub.Waker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bound == 0 || p.queued < p.bound/2 {
		return true
	}
	p.waker = w
	return false
}

func (p *page) Close(c live.Closing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = &c
}

// take empties the queue and wakes the hub, as a writer does.
func (p *page) take() {
	p.mu.Lock()
	p.queued = 0
	w := p.waker
	p.waker = nil
	p.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// end returns how the page was closed, or nil.
func (p *page) end() *live.Closing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *page) unreadCount() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unread == nil {
		return "unknown"
	}
	return fmt.Sprint(*p.unread)
}

func (p *page) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// show returns a frame as page records it. The library does not export the text of a prepared message.
func show(f *wire.Frame) string {
	var m struct {
		Type            string
		Seq             int64
		NotificationSeq int64  `json:"notification_seq"`
		EventID         string `json:"event_id"`
		Stream, Reason  string
	}
	if err := json.Unmarshal(reflect.ValueOf(f.Prepared).Elem().FieldByName("data").Bytes(), &m); err != nil {
		return err.Error()
	}
	switch {
	case m.Type == "resync":
		return fmt.Sprint(m.Type, " ", m.Stream, " ", m.Reason, " ", m.Seq)
	case m.Seq > 0:
		return fmt.Sprint(m.Seq)
	case m.NotificationSeq > 0:
		return fmt.Sprint("n", m.NotificationSeq)
	default:
		return m.Type + " " + m.EventID
	}
}
