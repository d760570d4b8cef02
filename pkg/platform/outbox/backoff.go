package outbox

// This file decides what is not tried for a while after a failure, and how large the next bulk may be.

import (
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// firstBackoff and maxBackoff bound the first wait and every wait: a broker that is back is noticed within
	// maxBackoff. The attempts never end.
	firstBackoff = 100 * time.Millisecond
	maxBackoff   = 2 * time.Second
	// backoffJitter spreads a wait between a half and all of its length, which is a third to both sides of the middle. So
	// relays that failed together do not retry together.
	backoffJitter = 1.0 / 3
	// yieldAfter: an event that failed alone waits this much longer than its topic, so that another event is tried first.
	// It is longer than the relay's poll interval.
	yieldAfter = 3 * firstBackoff
	// forgetAfter is long after the next attempt of any order key. A state this old has no more rows here.
	forgetAfter = time.Minute
	// maxKeys bounds the order keys that back off one by one. When more keys fail, the topic fails: it backs off as a
	// whole.
	maxKeys = 1000
)

// newDelays returns waits that double from firstBackoff to maxBackoff.
func newDelays() *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval:     firstBackoff * 3 / 4,
		MaxInterval:         maxBackoff * 3 / 4,
		RandomizationFactor: backoffJitter,
		Multiplier:          2,
	}
}

// backoffs are the order keys and topics that one worker does not try yet. Not safe for concurrent use.
type backoffs struct {
	by map[orderKey]*keyBackoff
	// bulkLimit is how many events the next bulk of a topic may have at most, where that is fewer than maxBulk. It is
	// halved when a bulk fails as a whole, so that one event that makes its bulks fail is soon alone in one. It is doubled
	// when a bulk succeeds.
	bulkLimit map[string]int
	maxBulk   int
}

// keyBackoff is the backoff of one order key or topic. Each failure in a row makes it longer.
type keyBackoff struct {
	delays *backoff.ExponentialBackOff
	until  time.Time
	// alone: the key's event was alone in a bulk that failed as a whole. It may be the cause, so it gets a bulk of its own.
	alone bool
}

func newBackoffs(maxBulk int) *backoffs {
	return &backoffs{by: map[orderKey]*keyBackoff{}, bulkLimit: map[string]int{}, maxBulk: maxBulk}
}

// failed makes an order key back off, or its topic when too many keys do.
func (b *backoffs) failed(key orderKey, now time.Time) {
	k := b.by[key]
	if k == nil {
		if key.key != "" && len(b.by) >= maxKeys {
			key.key = "" // the topic
		}
		if k = b.by[key]; k == nil {
			k = &keyBackoff{delays: newDelays()}
			b.by[key] = k
		}
	}
	k.until = now.Add(k.delays.NextBackOff())
}

// succeeded ends the backoff of an order key.
func (b *backoffs) succeeded(key orderKey) { delete(b.by, key) }

// bulkFailed makes a topic back off whose bulk failed as a whole. While the bulk can still be halved the backoff stays
// at its first length, because the next bulk differs from this one.
func (b *backoffs) bulkFailed(topic string, bulk []row, now time.Time) {
	b.bulkLimit[topic] = max(1, len(bulk)/2)
	whole := orderKey{topic: topic}
	if len(bulk) > 1 {
		delete(b.by, whole)
		b.failed(whole, now)
		return
	}
	b.failed(whole, now)
	key := bulk[0].orderKey()
	b.failed(key, now)
	if k := b.by[key]; k != nil {
		k.alone = true
		if next := b.by[whole].until.Add(yieldAfter); k.until.Before(next) {
			k.until = next
		}
	}
}

// bulkSucceeded ends the backoff of a topic. Its order keys that failed keep theirs.
func (b *backoffs) bulkSucceeded(topic string) {
	delete(b.by, orderKey{topic: topic})
	if n, ok := b.bulkLimit[topic]; ok {
		if n *= 2; n < b.maxBulk {
			b.bulkLimit[topic] = n
		} else {
			delete(b.bulkLimit, topic)
		}
	}
}

func (b *backoffs) active(key orderKey, now time.Time) bool {
	k := b.by[key]
	return k != nil && now.Before(k.until)
}

// mustWait reports whether a row stays in the table for now.
func (b *backoffs) mustWait(r row, now time.Time) bool {
	return b.active(r.orderKey(), now) || b.active(orderKey{topic: r.Topic}, now)
}

// bulkRows returns how many rows the next bulk of a topic may have.
func (b *backoffs) bulkRows(topic string) int {
	if n, ok := b.bulkLimit[topic]; ok {
		return n
	}
	return b.maxBulk
}

// alone reports whether a row must be the only one of its bulk.
func (b *backoffs) alone(r row) bool {
	k := b.by[r.orderKey()]
	return k != nil && k.alone
}

// list returns the topics and the order keys that back off now. It forgets old states.
func (b *backoffs) list(now time.Time) (topics []string, keys []orderKey) {
	topics, keys = []string{}, []orderKey{}
	for key, k := range b.by {
		switch {
		case now.Sub(k.until) > forgetAfter:
			delete(b.by, key) // another relay has published its rows: it holds the bucket now
		case !b.active(key, now):
		case key.key == "":
			topics = append(topics, key.topic)
		default:
			keys = append(keys, key)
		}
	}
	return topics, keys
}
