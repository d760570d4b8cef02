package broker

import (
	"context"
	"log/slog"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/taskwire/taskwire/local/kafkausers"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/events/apps"
)

// BenchmarkProduce is the time from sending one record of 1 kB to its acknowledgement: with fsync, without it, and without it to a
// broker that asks for no password.
func BenchmarkProduce(b *testing.B) {
	for _, of := range []struct {
		name         string
		noSync, open bool
	}{{"sync", false, false}, {"nosync", true, false}, {"nosync-open", true, true}} {
		b.Run(of.name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			ready, done := make(chan string, 1), make(chan error, 1)
			cfg := Config{Addr: "127.0.0.1:0", DataDir: b.TempDir(), NoSync: of.noSync, Log: slog.New(slog.DiscardHandler), Topics: events.Topics()}
			opts := []kgo.Opt{kgo.ProducerLinger(0), kgo.DisableIdempotentWrite()}
			if !of.open {
				cfg.Passwords = passwords()
				opts = append(opts, as(kafkausers.Of(apps.TaskAPI)))
			}
			go func() { done <- Run(ctx, cfg, func(addr string) { ready <- addr }) }()
			defer func() { cancel(); <-done }()
			cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(<-ready))...)
			if err != nil {
				b.Fatal(err)
			}
			defer cl.Close()
			value := make([]byte, 1000)
			for b.Loop() {
				if err := cl.ProduceSync(ctx, &kgo.Record{Topic: events.TopicTaskEvents, Value: value}).FirstErr(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLogin is the time of a connection with its login and one request. A client does it once for each connection.
func BenchmarkLogin(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	cfg := Config{Addr: "127.0.0.1:0", DataDir: b.TempDir(), NoSync: true, Log: slog.New(slog.DiscardHandler), Topics: events.Topics(), Passwords: passwords()}
	go func() { done <- Run(ctx, cfg, func(addr string) { ready <- addr }) }()
	defer func() { cancel(); <-done }()
	addr := <-ready
	for b.Loop() {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), as(kafkausers.Of(apps.TaskAPI)))
		if err != nil {
			b.Fatal(err)
		}
		if err := cl.Ping(ctx); err != nil {
			b.Fatal(err)
		}
		cl.Close()
	}
}
