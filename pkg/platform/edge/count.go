package edge

import "sync"

// Count counts what each key holds, up to a limit. It remembers only keys that hold something. It is safe for concurrent
// use.
type Count struct {
	limit int
	mu    sync.Mutex
	held  map[string]int
}

// NewCount returns a count with a limit for each key.
func NewCount(limit int) *Count { return &Count{limit: limit, held: map[string]int{}} }

// Take reports whether the key may hold one more. If so, Give must follow.
func (c *Count) Take(key string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[key] >= c.limit {
		return false
	}
	c.held[key]++
	return true
}

// Give takes back what Take gave.
func (c *Count) Give(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[key]--; c.held[key] <= 0 {
		delete(c.held, key)
	}
}
