package subscribe

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// maxRemembered bounds the failing events that are counted. One event of a partition is delivered at a time, so a few
// dozen fail at the same time. An event whose count is evicted gets more attempts and nothing else.
const maxRemembered = 4096

// attempts counts the failures of events. When it is full it evicts the event that failed longest ago.
type attempts struct {
	mu    sync.Mutex
	byKey *simplelru.LRU[string, counts]
}

type counts struct {
	failures int // all of them
	strikes  int // those that were not transient
}

func newAttempts(limit int) *attempts {
	byKey, err := simplelru.NewLRU[string, counts](limit, nil)
	if err != nil { // the limit is not positive: a mistake in the program
		panic(err)
	}
	return &attempts{byKey: byKey}
}

// fail counts a failure, and a strike when the failure is one, and returns both counts.
func (a *attempts) fail(key string, strike bool) (failures, strikes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	c, _ := a.byKey.Get(key)
	c.failures++
	if strike {
		c.strikes++
	}
	a.byKey.Add(key, c)
	return c.failures, c.strikes
}

// forget removes the counts of an event that is acknowledged or dead-lettered.
func (a *attempts) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byKey.Remove(key)
}

func (a *attempts) len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byKey.Len()
}
