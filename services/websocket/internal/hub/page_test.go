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

// page is a client in memory. It records what it was sent as "welcome 3", "4", "resync gap_too_large 9", "note n".
type page struct {
	mu     sync.Mutex
	got    []string
	early  []string // pushed before Open
	open   bool
	queued int // frames that take has not taken
	bound  int // of queued; 0: none
	waker  hub.Waker
	closed *live.Closing
}

func (p *page) Open(seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = true
	p.got = append(append(p.got, fmt.Sprint("welcome ", seq)), p.early...)
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

func (p *page) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.got)
}

// show returns a frame as page records it. The library does not export the text of a prepared message.
func show(f *wire.Frame) string {
	var m struct {
		Type           string
		Seq            int64
		EventID        string `json:"event_id"`
		NotificationID string `json:"notification_id"`
		Reason         string
	}
	if err := json.Unmarshal(reflect.ValueOf(f.Prepared).Elem().FieldByName("data").Bytes(), &m); err != nil {
		return err.Error()
	}
	switch {
	case m.Type == "event" && m.Seq == 0:
		return "event " + m.EventID
	case m.Type == "event":
		return fmt.Sprint(m.Seq)
	case m.Type == "notification":
		return "note " + m.NotificationID
	}
	return fmt.Sprint(m.Type, " ", m.Reason, " ", m.Seq)
}
