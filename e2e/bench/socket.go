package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/taskwire/taskwire/local/kafkaconn"
	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/local/stack"
	"github.com/taskwire/taskwire/pkg/events/live"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// socketRate is the number of creates, or produced records, a second.
	socketRate = 100
	// socketUsers is the number of users among which the creates are divided; each has one open page.
	socketUsers = 10
	floorTopic  = "bench-floor"
)

func benchSocket(ctx context.Context, s *stack.Stack, rounds int, arm time.Duration) error {
	pages := make([]*page, socketUsers)
	for i := range pages {
		u, err := register(ctx, s.URL())
		if err != nil {
			return err
		}
		if pages[i], err = open(ctx, u); err != nil {
			return err
		}
		defer pages[i].conn.Close()
	}
	floor, err := newFloor(ctx, s.Kafka(kafkausers.Admin))
	if err != nil {
		return err
	}
	defer floor.client.Close()
	fmt.Printf("commit to WebSocket, %d creates/s, %d rounds of %s (with a direct produce and consume)\n", socketRate, rounds, arm)
	var p50s, p99s, ratios []float64
	for range rounds {
		base, err := floor.round(ctx, arm)
		if err != nil {
			return err
		}
		got, err := socketRound(ctx, pages, arm)
		if err != nil {
			return err
		}
		b50, b99, g50, g99 := quantile(base, .5), quantile(base, .99), quantile(got, .5), quantile(got, .99)
		p50s, p99s = append(p50s, ms(g50)), append(p99s, ms(g99))
		ratios = append(ratios, float64(g50)/float64(b50))
		fmt.Printf("  floor p50 %5.1f ms  p99 %6.1f ms   socket p50 %5.1f ms  p99 %6.1f ms   (%d events)\n", ms(b50), ms(b99), ms(g50), ms(g99), len(got))
	}
	fmt.Printf("  median: p50 %.1f ms, p99 %.1f ms, p50 over the floor's %.1f\n", median(p50s), median(p99s), median(ratios))
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// socketRound creates tasks at socketRate and returns the sorted times from commit to frame. It takes the task's updated_at
// as the time of the commit. The API sets that just before the commit, so the figure is slightly too long.
func socketRound(ctx context.Context, pages []*page, arm time.Duration) ([]time.Duration, error) {
	var mu sync.Mutex
	var delays []time.Duration
	n := int(arm.Seconds() * socketRate)
	var wg sync.WaitGroup
	errs := make(chan error, n)
	tick := time.NewTicker(time.Second / socketRate)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		p := pages[i%len(pages)]
		wg.Go(func() {
			task, err := p.user.create(ctx, "a task of the bench")
			if err != nil {
				errs <- err
				return
			}
			at, err := p.arrival(ctx, task.Seq)
			if err != nil {
				errs <- err
				return
			}
			mu.Lock()
			delays = append(delays, at.Sub(task.UpdatedAt))
			mu.Unlock()
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return nil, err
	default:
	}
	slices.Sort(delays)
	return delays, nil
}

// page is an open WebSocket that records when each seq arrived.
type page struct {
	user *account
	conn *websocket.Conn
	mu   sync.Mutex
	at   map[int64]time.Time
	err  error
}

func open(ctx context.Context, u *account) (*page, error) {
	dialer := websocket.Dialer{Subprotocols: []string{live.Subprotocol}}
	conn, resp, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(u.base, "http")+"/ws", http.Header{"Origin": {u.base}})
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	auth, err := live.Auth{Token: u.token, Since: new(int64)}.Encode()
	if err != nil {
		return nil, err
	}
	if err := conn.WriteMessage(websocket.TextMessage, auth); err != nil {
		return nil, err
	}
	p := &page{user: u, conn: conn, at: map[int64]time.Time{}}
	go p.read()
	return p, nil
}

func (p *page) read() {
	for {
		var f struct {
			Type string `json:"type"`
			Seq  int64  `json:"seq"`
		}
		err := p.conn.ReadJSON(&f)
		p.mu.Lock()
		if err != nil {
			p.err = err
			p.mu.Unlock()
			return
		}
		if f.Type == live.TypeEvent {
			p.at[f.Seq] = time.Now()
		}
		p.mu.Unlock()
	}
}

// arrival waits until seq has arrived and returns when that was.
func (p *page) arrival(ctx context.Context, seq int64) (time.Time, error) {
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		p.mu.Lock()
		at, ok := p.at[seq]
		err := p.err
		p.mu.Unlock()
		if ok {
			return at, nil
		}
		if err != nil {
			return time.Time{}, err
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return time.Time{}, fmt.Errorf("seq %d did not arrive", seq)
}

// floor is a producer and a consumer of one topic, with only the broker between them.
type floor struct{ client *kgo.Client }

func newFloor(ctx context.Context, at kafkaconn.Settings) (*floor, error) {
	client, err := at.Client(kgo.ConsumeTopics(floorTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.ProducerLinger(0))
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = floorTopic, 1, 1
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(ctx, client); err != nil {
		client.Close()
		return nil, err
	}
	// A record that is produced before the consumer has found the end of the topic never arrives: wait for one that does.
	warm, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for warm.Err() == nil {
		if err := client.ProduceSync(warm, &kgo.Record{Topic: floorTopic, Value: []byte("warm")}).FirstErr(); err != nil {
			continue
		}
		poll, stop := context.WithTimeout(warm, 500*time.Millisecond)
		fetches := client.PollFetches(poll)
		stop()
		if fetches.NumRecords() > 0 {
			return &floor{client}, nil
		}
	}
	client.Close()
	return nil, errors.New("no record came back from the broker")
}

// round produces records at socketRate, each with the time of its creation, and returns their sorted delays.
func (f *floor) round(ctx context.Context, arm time.Duration) ([]time.Duration, error) {
	n := int(arm.Seconds() * socketRate)
	go func() {
		tick := time.NewTicker(time.Second / socketRate)
		defer tick.Stop()
		for range n {
			<-tick.C
			f.client.Produce(ctx, &kgo.Record{Topic: floorTopic, Value: strconv.AppendInt(nil, time.Now().UnixNano(), 10)}, nil)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, arm+30*time.Second)
	defer cancel()
	var delays []time.Duration
	for len(delays) < n {
		fetches := f.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d of %d records came back: %w", len(delays), n, ctx.Err())
		}
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) {
			if sent, err := strconv.ParseInt(string(r.Value), 10, 64); err == nil {
				delays = append(delays, now.Sub(time.Unix(0, sent)))
			}
		})
	}
	slices.Sort(delays)
	return delays, nil
}
