package outbox

// row is one outbox row.
type row struct {
	bucket int16
	id     int64
	Message
}

// lineKey is what keeps its order and is held back together: one key's events on one topic. An empty key stands for
// the whole topic.
type lineKey struct{ topic, key string }

func (r row) line() lineKey { return lineKey{r.Topic, r.Key} }

// limits of one bulk.
type limits struct {
	rows  func(topic string) int
	bytes int
	alone func(row) bool // it goes with no other
}

// wave takes from rows, which are in id order, what may be published now, by topic, and returns what is left for the
// next wave. A row may go when no earlier row of its line waits, when its subject is not in the topic's bulk yet, and
// while the bulk is below both limits; a topic's first row always fits, however large. Rows that skip answers true for
// are dropped: they stay in the table.
func wave(rows []row, skip func(row) bool, limit limits) (bulks map[string][]row, rest []row) {
	type subject struct{ topic, id string }
	bulks = map[string][]row{}
	bytes := map[string]int{}
	present := map[subject]bool{}
	waits := map[lineKey]bool{}
	closed := map[string]bool{} // topics whose bulk has an event that goes alone
	for _, r := range rows {
		if skip(r) {
			continue
		}
		bulk, s := bulks[r.Topic], subject{r.Topic, r.Subject}
		alone := limit.alone(r)
		full := len(bulk) > 0 && (alone || closed[r.Topic] || len(bulk) >= limit.rows(r.Topic) || bytes[r.Topic]+len(r.Data) > limit.bytes)
		if full || present[s] || waits[r.line()] {
			waits[r.line()] = true
			rest = append(rest, r)
			continue
		}
		present[s] = true
		closed[r.Topic] = alone
		bytes[r.Topic] += len(r.Data)
		bulks[r.Topic] = append(bulk, r)
	}
	return bulks, rest
}
