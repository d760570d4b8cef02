package domain

// This file decides the positions of tasks in the order that the user makes by hand. No two tasks of a user have the same
// position.

import (
	"math"
	"time"
)

const (
	// MaxPosition bounds position: whole numbers up to it are exact in JSON, in a double and in every client.
	MaxPosition = 1e15
	// PositionStep is the distance from the last task to a new one. Ten tasks fit between two neighbours before a position
	// is no whole number.
	PositionStep = 1024
)

// roomGaps are the distances that Room tries to leave between tasks, the widest first. The smallest is small enough for tasks
// that are numbered 1, 2, 3, and still leaves room for many moves.
var roomGaps = []float64{PositionStep, 1, 1.0 / 1024, 1.0 / (1024 * 1024)}

// minUlps is the smallest distance between two positions that Room makes, in steps of a double.
const minUlps = 8

// Between returns a position between two neighbours. nil means that there is no neighbour on that side. It reports whether
// there is such a position.
func Between(lo, hi *float64) (float64, bool) {
	switch {
	case lo == nil && hi == nil:
		return PositionStep, true
	case hi == nil:
		return *lo + PositionStep, *lo+PositionStep <= MaxPosition
	case lo == nil:
		return *hi - PositionStep, *hi-PositionStep >= -MaxPosition
	}
	p := *lo + (*hi-*lo)/2
	if whole := math.Floor(p); whole > *lo {
		p = whole
	}
	return p, *lo < p && p < *hi
}

// Shifted returns a task at another position, to which it moves only to make room for others. An occurrence that its user has
// not touched stays untouched.
func Shifted(t Task, position float64, now time.Time) Task {
	if t.Untouched() {
		t.EngineVersion = t.Version + 1
	}
	t.Position, t.UpdatedAt = position, Instant(now)
	return t
}

// Room makes room for one more task at the index at of a list of positions. It moves as few tasks as it can: the tasks from
// the index from on get the positions moved, of which the one at index at-from is for the new task. begins and ends report
// whether the list has the first and the last task of the user. Without them, Room does not go beyond the ends of the list.
func Room(positions []float64, at int, begins, ends bool) (from int, moved []float64, ok bool) {
	for _, gap := range roomGaps {
		for n := range len(positions) + 1 { // the number of tasks to move
			for from := max(0, at-n); from <= at && from+n <= len(positions); from++ {
				lo, hi := fence(positions, from-1, begins), fence(positions, from+n, ends)
				if math.IsNaN(lo) || math.IsNaN(hi) {
					continue
				}
				if moved, ok := spread(lo, hi, n+1, gap); ok {
					return from, moved, true
				}
			}
		}
	}
	return 0, nil, false
}

// fence returns the position at index i: an infinity where the user has no task, and NaN where the tasks are not known.
func fence(positions []float64, i int, complete bool) float64 {
	switch {
	case i >= 0 && i < len(positions):
		return positions[i]
	case !complete:
		return math.NaN()
	case i < 0:
		return math.Inf(-1)
	}
	return math.Inf(1)
}

// spread returns n positions between lo and hi, at equal distances of at least gap. Between an infinity and a task, they are
// at PositionStep from one another.
func spread(lo, hi float64, n int, gap float64) ([]float64, bool) {
	distance := float64(PositionStep)
	switch first, last := math.IsInf(lo, -1), math.IsInf(hi, 1); {
	case first && last:
		lo = 0
	case last:
		distance = min(distance, (MaxPosition-lo)/float64(n))
	case first:
		distance = min(distance, (hi+MaxPosition)/float64(n))
		lo = hi - distance*float64(n+1)
	default:
		distance = (hi - lo) / float64(n+1)
	}
	if distance >= 2 {
		distance = math.Floor(distance)
	}
	largest := max(math.Abs(lo), math.Abs(lo+distance*float64(n)))
	if distance < gap || distance < minUlps*(math.Nextafter(largest, math.Inf(1))-largest) {
		return nil, false
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = lo + distance*float64(i+1)
	}
	return out, true
}
