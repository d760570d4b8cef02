package subscribe

import (
	"container/list"
	"sync"
)

// maxRemembered is how many failing events are remembered. One event of a partition is delivered at a time, so a few
// dozen fail at once; forgetting one only gives it more attempts.
const maxRemembered = 4096

// attempts counts the failures of events, and forgets those that failed longest ago when it is full.
type attempts struct {
	mu    sync.Mutex
	limit int
	order *list.List // of *record, the one that failed last in front
	byKey map[string]*list.Element
}

type record struct {
	key      string
	failures int // all of them
	strikes  int // those that were the event's own fault
}

func newAttempts(limit int) *attempts {
	return &attempts{limit: limit, order: list.New(), byKey: map[string]*list.Element{}}
}

// fail counts a failure, and a strike with it if it is one, and returns both counts.
func (a *attempts) fail(key string, strike bool) (failures, strikes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	el, ok := a.byKey[key]
	if ok {
		a.order.MoveToFront(el)
	} else {
		if a.order.Len() >= a.limit {
			oldest := a.order.Back()
			delete(a.byKey, a.order.Remove(oldest).(*record).key) // only records are in it
		}
		el = a.order.PushFront(&record{key: key})
		a.byKey[key] = el
	}
	r := el.Value.(*record) // only records are in it
	r.failures++
	if strike {
		r.strikes++
	}
	return r.failures, r.strikes
}

// forget drops what is known of an event that is settled.
func (a *attempts) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if el, ok := a.byKey[key]; ok {
		a.order.Remove(el)
		delete(a.byKey, key)
	}
}
