package broker

import (
	"context"
	"log/slog"
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkProduce is the time from sending one record of 1 kB to its acknowledgement, with and without fsync.
func BenchmarkProduce(b *testing.B) {
	for name, noSync := range map[string]bool{"sync": false, "nosync": true} {
		b.Run(name, func(b *testing.B) {
			ctx, cancel := context.WithCancel(b.Context())
			ready, done := make(chan string, 1), make(chan error, 1)
			go func() {
				done <- Run(ctx, Config{Addr: "127.0.0.1:0", DataDir: b.TempDir(), NoSync: noSync, Log: slog.New(slog.DiscardHandler),
					Topics: []events.Topic{{Name: "orders", Partitions: 12}}}, func(addr string) { ready <- addr })
			}()
			defer func() { cancel(); <-done }()
			cl, err := kgo.NewClient(kgo.SeedBrokers(<-ready), kgo.ProducerLinger(0), kgo.DisableIdempotentWrite())
			if err != nil {
				b.Fatal(err)
			}
			defer cl.Close()
			value := make([]byte, 1000)
			for b.Loop() {
				if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: value}).FirstErr(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
