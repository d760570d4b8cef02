package outbox

// row is one outbox row.
type row struct {
	id int64
	Message
}

// wave takes from rows, which are in id order, what may be published now, by topic, and returns what is left. A row
// may go when no earlier row of its key was held back, when its subject is not in the wave on that topic yet, and
// while the topic's bulk is below both bounds. A topic's first row always fits, however large.
func wave(rows []row, blocked map[string]bool, maxRows, maxBytes int) (bulks map[string][]row, rest []row) {
	type subject struct{ topic, id string }
	bulks = map[string][]row{}
	bytes := map[string]int{}
	inWave := map[subject]bool{}
	held := map[string]bool{} // keys that wait for the next wave
	for _, r := range rows {
		if blocked[r.Key] {
			continue // stays in the table for the next fetch
		}
		s := subject{r.Topic, r.Subject}
		full := len(bulks[r.Topic]) >= maxRows || (len(bulks[r.Topic]) > 0 && bytes[r.Topic]+len(r.Data) > maxBytes)
		if held[r.Key] || inWave[s] || full {
			held[r.Key] = true
			rest = append(rest, r)
			continue
		}
		inWave[s] = true
		bytes[r.Topic] += len(r.Data)
		bulks[r.Topic] = append(bulks[r.Topic], r)
	}
	return bulks, rest
}
