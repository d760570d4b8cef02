package events_test

import (
	"testing"

	"github.com/taskwire/taskwire/pkg/events"
)

func BenchmarkEncodeTaskEvent(b *testing.B) {
	e := sampleTaskEvent(events.Updated)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeTaskEvent(b *testing.B) {
	for name, file := range map[string]string{"current": currentTaskEvent, "original": originalTaskEvent} {
		data := readGolden(b, file)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := events.DecodeTaskEvent(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
