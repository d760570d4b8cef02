package outbox

import (
	"math/rand/v2"
	"time"
)

const (
	firstBackoff = 100 * time.Millisecond
	// maxBackoff: a broker that is back is noticed within this time. It never gives up.
	maxBackoff = 2 * time.Second
	// afterYou: an event that failed alone lets another try first when its topic's rest is over. It is longer than the
	// relay's poll.
	afterYou = 3 * firstBackoff
	// forgetAfter: a line that failed is tried again long before.
	forgetAfter = time.Minute
	// maxHolds bounds the lines held back one by one. With more of them failing it is the topic that fails.
	maxHolds = 1000
)

// holds are the lines and topics that one worker lets rest after a failure. Not safe for concurrent use.
type holds struct {
	by map[lineKey]*rest
	// cap is how many events a topic's next bulk may have at most: halved when a bulk fails as a whole, so that one
	// event that spoils its bulk is soon alone; doubled when one succeeds.
	cap map[string]int
	max int
}

// rest is the patience with something that fails: longer each time in a row.
type rest struct {
	until time.Time
	delay time.Duration
	// alone: its event was alone in a bulk that failed as a whole. It may be what fails, so it spoils no other bulk.
	alone bool
}

func (r *rest) longer(now time.Time) {
	r.delay = min(max(firstBackoff, 2*r.delay), maxBackoff)
	// Half of it is random: relays that fail together do not come back together.
	r.until = now.Add(r.delay/2 + rand.N(r.delay/2))
}

func newHolds(maxBatch int) *holds {
	return &holds{by: map[lineKey]*rest{}, cap: map[string]int{}, max: maxBatch}
}

// add lets a line rest.
func (h *holds) add(line lineKey, now time.Time) {
	r := h.by[line]
	if r == nil {
		if line.key != "" && len(h.by) >= maxHolds {
			line.key = "" // the topic rests
		}
		if r = h.by[line]; r == nil {
			r = &rest{}
			h.by[line] = r
		}
	}
	r.longer(now)
}

// bulkFailed lets a topic rest whose bulk failed as a whole. While there is something to halve the rest stays short: the
// next bulk is another try.
func (h *holds) bulkFailed(topic string, bulk []row, now time.Time) {
	h.cap[topic] = max(1, len(bulk)/2)
	whole := lineKey{topic: topic}
	if len(bulk) > 1 {
		delete(h.by, whole)
		h.add(whole, now)
		return
	}
	h.add(whole, now)
	line := bulk[0].line()
	h.add(line, now)
	if r := h.by[line]; r != nil {
		r.alone = true
		if next := h.by[whole].until.Add(afterYou); r.until.Before(next) {
			r.until = next
		}
	}
}

// bulkSent ends the topic's rest; that of its failed lines stays.
func (h *holds) bulkSent(topic string) {
	delete(h.by, lineKey{topic: topic})
	if c, ok := h.cap[topic]; ok {
		if c *= 2; c < h.max {
			h.cap[topic] = c
		} else {
			delete(h.cap, topic)
		}
	}
}

// lineSent ends a line's rest.
func (h *holds) lineSent(line lineKey) { delete(h.by, line) }

func (h *holds) resting(line lineKey, now time.Time) bool {
	r := h.by[line]
	return r != nil && now.Before(r.until)
}

// skip tells whether a row must stay where it is for now.
func (h *holds) skip(r row, now time.Time) bool {
	return h.resting(r.line(), now) || h.resting(lineKey{topic: r.Topic}, now)
}

func (h *holds) bulkRows(topic string) int {
	if c, ok := h.cap[topic]; ok {
		return c
	}
	return h.max
}

// alone tells whether a row must have a bulk for itself.
func (h *holds) alone(r row) bool {
	x := h.by[r.line()]
	return x != nil && x.alone
}

// list answers who rests now: whole topics, and lines.
func (h *holds) list(now time.Time) (topics []string, lines []lineKey) {
	topics, lines = []string{}, []lineKey{}
	for line, r := range h.by {
		switch {
		case now.Sub(r.until) > forgetAfter:
			delete(h.by, line) // its rows went some other way: another relay has the bucket
		case !h.resting(line, now):
		case line.key == "":
			topics = append(topics, line.topic)
		default:
			lines = append(lines, line)
		}
	}
	return topics, lines
}
