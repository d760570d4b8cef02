package httpapi_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/taskwire/taskwire/services/websocket/internal/wire"
)

const (
	benchConns = 200
	benchBurst = 64 // events in flight, below the bound of a queue
)

// receivers counts the frames that arrive.
type receivers struct{ frames atomic.Int64 }

func (r *receivers) read(conn *websocket.Conn) {
	for {
		_, reader, err := conn.NextReader()
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, reader); err != nil {
			return
		}
		r.frames.Add(1)
	}
}

func (r *receivers) wait(want int64) {
	for r.frames.Load() < want {
		runtime.Gosched()
	}
}

// BenchmarkFanOut sends events to 200 connections of one user through the hub. Its floor writes the same bytes to the same
// number of connections with gorilla's WriteMessage in a loop. One operation is a burst of 64 events.
func BenchmarkFanOut(b *testing.B) {
	b.Run("hub", func(b *testing.B) {
		o := defaults()
		o.limits.PerUser = benchConns
		o.limits.Sweep = time.Hour
		r := newRig(b, o)
		var got receivers
		for range benchConns {
			c := r.connect("ann", 0)
			want[live.Welcome](c)
			if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
				b.Fatal(err)
			}
			go got.read(c.conn)
		}
		var sent int64
		for b.Loop() {
			for range benchBurst {
				if err := r.hub.Update(r.source.Add("ann")); err != nil {
					b.Fatal(err)
				}
			}
			sent += benchConns * benchBurst
			got.wait(sent)
		}
		b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "deliveries/s")
	})
	b.Run("floor", func(b *testing.B) {
		var mu sync.Mutex
		var conns []*websocket.Conn
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
			if err != nil {
				b.Error(err)
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}))
		defer server.Close()
		var got receivers
		for range benchConns {
			c, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(server.URL, "http"), nil)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			go got.read(c)
		}
		rig := newRig(b, defaults())
		frame := make([]byte, 0, 512)
		var sent int64
		for b.Loop() {
			for range benchBurst {
				ev := rig.source.Add("ann")
				f, err := wire.Event(ev)
				if err != nil {
					b.Fatal(err)
				}
				frame = frame[:f.Size]
				for _, c := range conns {
					if err := c.WriteMessage(websocket.TextMessage, frame); err != nil {
						b.Fatal(err)
					}
				}
			}
			sent += benchConns * benchBurst
			got.wait(sent)
		}
		b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "deliveries/s")
		for _, c := range conns {
			c.Close()
		}
	})
}

// BenchmarkIdleConnection reports the service's memory for an idle connection. Of the client, which runs in the same
// process, only the socket remains.
func BenchmarkIdleConnection(b *testing.B) {
	const conns = 400
	o := defaults()
	o.limits.PerUser = conns
	for b.Loop() {
		r := newRig(b, o)
		sockets := make([]net.Conn, 0, conns)
		before := memory()
		for range conns {
			c, _, err := r.tryDial(nil, live.Subprotocol)
			if err != nil {
				b.Fatal(err)
			}
			client := &client{t: b, conn: c}
			client.auth(token("ann", time.Hour), 0)
			want[live.Welcome](client)
			sockets = append(sockets, c.NetConn())
		}
		b.ReportMetric(float64(memory()-before)/conns/1024, "KiB/connection")
		for _, s := range sockets {
			s.Close()
		}
	}
}

// memory returns the bytes of heap and stacks in use.
func memory() uint64 {
	runtime.GC()
	runtime.GC() // stacks shrink in a cycle
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
