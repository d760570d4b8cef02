package httpapi_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/live"
)

// wantMetric returns an error unless the sum of the metric's series is want.
func (r *rig) wantMetric(name string, want float64) error {
	families, err := r.registry.Gather()
	if err != nil {
		return err
	}
	var got float64
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				got += m.GetGauge().GetValue() + m.GetCounter().GetValue()
			}
		}
	}
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", name, got, want)
	}
	return nil
}

func TestASlowClientIsClosedAndResumesWithoutLoss(t *testing.T) {
	t.Parallel()
	o := defaults()
	o.settings.QueueFrames = 8
	o.settings.CloseWait = patience
	r := newRig(t, o)
	slow, quick := r.connect("ann", 0), r.connect("ann", 0)
	want[live.Welcome](slow)
	want[live.Welcome](quick)
	quickSaw := make(chan int64, 100_000)
	go func() {
		defer close(quickSaw)
		for {
			f, err := quick.next()
			if err != nil {
				return
			}
			if e, ok := f.(live.Event); ok {
				quickSaw <- e.Seq
			}
		}
	}()
	// The slow client reads nothing until the sockets' buffers and its queue are full.
	var head int64
	big := make([]byte, 8<<10)
	for i := range big {
		big[i] = 'x'
	}
	for deadline := time.Now().Add(patience); r.wantMetric("websocket_connections", 2) == nil && r.closed("slow") == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the slow client was not closed")
		}
		ev := r.source.Add("ann")
		ev.TaskData.Description = string(big)
		if err := r.hub.Update(ev); err != nil {
			t.Fatal(err)
		}
		head = ev.Seq
		if seq := <-quickSaw; seq != head {
			t.Fatalf("the quick client: got seq %d, want %d", seq, head)
		}
	}
	var last int64
	for {
		f, err := slow.next()
		if err != nil {
			if !websocket.IsCloseError(err, int(live.Slow)) {
				t.Fatalf("the slow client's end: got %v, want close code %d", err, live.Slow)
			}
			break
		}
		if e, ok := f.(live.Event); ok {
			if e.Seq != last+1 {
				t.Fatalf("the slow client: got seq %d after %d", e.Seq, last)
			}
			last = e.Seq
		}
	}
	if last >= head {
		t.Fatalf("the slow client saw all %d events: it was not slow", head)
	}
	again := r.connect("ann", last)
	want[live.Welcome](again)
	again.wantSeqs(last+1, head)
}

// closed returns how many connections were closed with a code.
func (r *rig) closed(code string) float64 {
	families, _ := r.registry.Gather()
	for _, f := range families {
		if f.GetName() != "websocket_closes_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == code {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// browser connects and reads. When it loses its connection, it returns with the last seq it saw.
type browser struct {
	r      *rig
	userID string

	mu   sync.Mutex
	last int64
	err  error
	conn *client
}

func (b *browser) run(stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		conn, _, err := b.r.tryDial(nil, live.Subprotocol)
		if err != nil {
			continue // the service is full for a moment
		}
		c := &client{t: b.r.t, conn: conn}
		b.mu.Lock()
		b.conn = c
		since := b.last
		b.mu.Unlock()
		auth, err := live.Auth{Token: token(b.userID, time.Hour), Since: &since}.Encode()
		if err == nil && conn.WriteMessage(websocket.TextMessage, auth) == nil {
			b.read(c)
		}
		conn.Close()
	}
}

func (b *browser) read(c *client) {
	for {
		f, err := c.next()
		if err != nil {
			return
		}
		b.mu.Lock()
		ok := false
		switch f := f.(type) {
		case live.Welcome:
			ok = f.Seq == b.last
		case live.Event:
			ok, b.last = f.Seq == b.last+1, f.Seq
		case live.Resync:
			ok, b.last = f.Seq > b.last, f.Seq
		case live.Error:
			ok = f.Code == live.Slow.String()
		}
		if !ok {
			b.err = errors.Join(b.err, fmt.Errorf("user %s: frame %+v, and now at seq %d", b.userID, f, b.last))
		}
		b.mu.Unlock()
	}
}

func (b *browser) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn != nil {
		b.conn.conn.NetConn().Close()
	}
}

// at returns an error unless the browser has seen everything up to head.
func (b *browser) at(head int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && b.last != head {
		return fmt.Errorf("user %s is at %d, want %d", b.userID, b.last, head)
	}
	return nil
}

// TestEveryBrowserSeesEverySeqInOrder checks the promise on real sockets: deliveries are lost, repeated and out of order,
// the task API fails now and then, and connections break.
func TestEveryBrowserSeesEverySeqInOrder(t *testing.T) {
	t.Parallel()
	const users, browsers, changes = 6, 3, 300
	o := defaults()
	o.limits.Page, o.limits.Window = 25, 16
	r := newRig(t, o)
	stop := make(chan struct{})
	var running sync.WaitGroup
	var all []*browser
	for u := range users {
		for range browsers {
			b := &browser{r: r, userID: fmt.Sprint("user", u)}
			all = append(all, b)
			running.Go(func() { b.run(stop) })
		}
	}
	defer running.Wait()
	var writers sync.WaitGroup
	for u := range users {
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(u), 7))
			var held []events.TaskUpdateEvent
			for range changes {
				held = append(held, r.source.Add(fmt.Sprint("user", u)))
				for len(held) > 0 && rnd.IntN(3) > 0 {
					i := rnd.IntN(len(held))
					ev := held[i]
					held = append(held[:i], held[i+1:]...)
					for range rnd.IntN(3) { // lost, once, twice
						if err := r.hub.Update(ev); err != nil {
							t.Error(err)
						}
					}
				}
				switch rnd.IntN(60) {
				case 0:
					all[rnd.IntN(len(all))].cut()
				case 1:
					r.source.Fail(errors.New("down"))
				case 2, 3, 4:
					r.source.Fail(nil)
				}
				time.Sleep(time.Duration(rnd.IntN(2)) * time.Millisecond) // the pace of the writes; nothing is awaited
			}
		})
	}
	writers.Wait()
	r.source.Fail(nil)
	for _, b := range all {
		eventually(t, "every change arrives", func() error { return b.at(changes) })
	}
	close(stop)
	for _, b := range all {
		b.cut()
		if b.err != nil {
			t.Error(b.err)
		}
	}
}
