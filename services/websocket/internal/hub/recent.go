package hub

import "slices"

// recentIDs stores the last maxRecentIDs ids. It is a ring and not an LRU cache: an id must leave after maxRecentIDs
// newer ones, a user without notifications costs nothing, and a scan of so few short strings is cheap.
type recentIDs struct {
	ids  []string
	next int
}

// add stores id. It returns false when id is stored already.
func (r *recentIDs) add(id string) bool {
	if slices.Contains(r.ids, id) {
		return false
	}
	if len(r.ids) < maxRecentIDs {
		r.ids = append(r.ids, id)
		return true
	}
	r.ids[r.next] = id
	r.next = (r.next + 1) % maxRecentIDs
	return true
}
