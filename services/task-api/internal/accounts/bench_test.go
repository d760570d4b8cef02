package accounts

import (
	"context"
	"testing"
	"time"
)

// BenchmarkCheck measures the cost that every figure of docs/adr/0033 comes from.
func BenchmarkCheck(b *testing.B) {
	h, err := NewHasher()
	if err != nil {
		b.Fatal(err)
	}
	hash, err := h.Hash(context.Background(), Turn{}, "correct horse")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			if _, err := h.Check(context.Background(), Turn{}, hash, "wrong horse"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all processors", func(b *testing.B) {
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := h.Check(context.Background(), Turn{}, hash, "wrong horse"); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// BenchmarkFullQueue measures what the choice of the next request costs when the queue is full.
func BenchmarkFullQueue(b *testing.B) {
	q := newQueue(0, time.Now)
	for i := range maxWaiting {
		if _, err := q.join(Turn{address: string(rune('a' + i)), rank: i % 10}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		if _, err := q.join(Turn{address: "newest"}); err != nil {
			b.Fatal(err)
		}
		q.release()
	}
}
