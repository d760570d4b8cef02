package outbox

// row is one row of the outbox.
type row struct {
	bucket int16
	id     int64
	Message
}

// orderKey identifies the events that keep their order and are held back together: those of one key on one topic. With
// an empty key it stands for the whole topic.
type orderKey struct{ topic, key string }

func (r row) orderKey() orderKey { return orderKey{r.Topic, r.Key} }

// limits bound one bulk.
type limits struct {
	rows  func(topic string) int
	bytes int
	alone func(row) bool // reports whether the row must be the only one of its bulk
}

// nextBatch takes from rows, which are in id order, the ones that may be published now. It returns one bulk for each
// topic, and the rows that are left for the following batch.
//
// A row is taken when no earlier row of its order key is left, when its topic's bulk has no row of its subject yet, and
// while that bulk is below both limits. A topic's first row always fits, however large it is. Rows for which skip
// returns true are in neither result: they stay in the table.
func nextBatch(rows []row, skip func(row) bool, limit limits) (bulks map[string][]row, left []row) {
	type subject struct{ topic, id string }
	bulks = map[string][]row{}
	bytes := map[string]int{}
	present := map[subject]bool{}
	waits := map[orderKey]bool{}
	closed := map[string]bool{} // topics whose bulk has a row that must be alone
	for _, r := range rows {
		if skip(r) {
			continue
		}
		bulk, s := bulks[r.Topic], subject{r.Topic, r.Subject}
		alone := limit.alone(r)
		full := len(bulk) > 0 && (alone || closed[r.Topic] || len(bulk) >= limit.rows(r.Topic) || bytes[r.Topic]+len(r.Data) > limit.bytes)
		if full || present[s] || waits[r.orderKey()] {
			waits[r.orderKey()] = true
			left = append(left, r)
			continue
		}
		present[s] = true
		closed[r.Topic] = alone
		bytes[r.Topic] += len(r.Data)
		bulks[r.Topic] = append(bulk, r)
	}
	return bulks, left
}
