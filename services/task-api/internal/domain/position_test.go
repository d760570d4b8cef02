package domain

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAPositionLiesBetweenItsNeighbours(t *testing.T) {
	t.Parallel()
	at := func(p float64) *float64 { return &p }
	for _, tc := range []struct {
		name   string
		lo, hi *float64
		want   float64
		ok     bool
	}{
		{"no neighbours", nil, nil, PositionStep, true},
		{"last", at(5), nil, 5 + PositionStep, true},
		{"last at the limit", at(MaxPosition - PositionStep), nil, MaxPosition, true},
		{"last above the limit", at(MaxPosition - PositionStep + 1), nil, 0, false},
		{"first", nil, at(5), 5 - PositionStep, true},
		{"first at the limit", nil, at(-MaxPosition + PositionStep), -MaxPosition, true},
		{"first below the limit", nil, at(-MaxPosition + PositionStep - 1), 0, false},
		{"a whole number", at(1), at(4), 2, true},
		{"no whole number", at(1), at(2), 1.5, true},
		{"no number", at(1), at(math.Nextafter(1, 2)), 0, false},
		{"equal neighbours", at(1), at(1), 0, false},
	} {
		if got, ok := Between(tc.lo, tc.hi); ok != tc.ok || ok && got != tc.want {
			t.Errorf("%s: got %v %v, want %v %v", tc.name, got, ok, tc.want, tc.ok)
		}
	}
}

func TestAShiftedOccurrenceIsStillUntouched(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		engine int64
		want   bool
	}{{3, true}, {2, false}, {0, false}} {
		before := Task{EngineVersion: tc.engine}
		before.Version, before.Position = 3, 1
		after := Shifted(before, 2, noon)
		if after.Version++; after.Untouched() != tc.want || after.Position != 2 || !after.UpdatedAt.Equal(noon) {
			t.Errorf("made at version %d, shifted at 3: got %+v, want untouched %v", tc.engine, after, tc.want)
		}
	}
}

func TestRoomMovesAsFewTasksAsItCan(t *testing.T) {
	t.Parallel()
	next := func(p float64) float64 { return math.Nextafter(p, math.Inf(1)) }
	for _, tc := range []struct {
		name         string
		positions    []float64
		at           int
		begins, ends bool
		from, moved  int // moved is the number of tasks with another position
		ok           bool
	}{
		{"nothing to move", []float64{0, 4096}, 1, false, false, 1, 0, true},
		{"a task at the limit", []float64{1.8e12, MaxPosition}, 2, false, true, 1, 1, true},
		{"two tasks at the limit", []float64{1.8e12, MaxPosition - 1, MaxPosition}, 3, false, true, 1, 2, true},
		{"equal neighbours", []float64{0, 5, 5, 9000}, 2, false, false, 2, 1, true},
		{"numbered tasks", []float64{1, 2, next(2), 3, 4}, 2, false, false, 1, 1, true},
		{"a list that does not begin", []float64{1, next(1)}, 1, false, false, 0, 0, false},
		{"a list of the first tasks", []float64{1, next(1)}, 1, true, false, 0, 1, true},
		{"an empty list", nil, 0, true, true, 0, 0, true},
	} {
		from, moved, ok := Room(tc.positions, tc.at, tc.begins, tc.ends)
		if ok != tc.ok || ok && (from != tc.from || len(moved) != tc.moved+1) {
			t.Errorf("%s: Room(%v, %d): got from %d, moved %v, %v, want from %d and %d tasks moved", tc.name, tc.positions, tc.at, from, moved, ok, tc.from, tc.moved)
		}
	}
}

// After Room, all positions ascend strictly, are in range, and the tasks have kept their order.
func TestRoomKeepsTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		positions := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-MaxPosition, MaxPosition), rapid.Float64Range(0, 100), rapid.Just(MaxPosition), rapid.Just(7.0)), 0, 40).Draw(rt, "positions")
		slices.Sort(positions)
		at := rapid.IntRange(0, len(positions)).Draw(rt, "at")
		begins, ends := rapid.Bool().Draw(rt, "begins"), rapid.Bool().Draw(rt, "ends")
		from, moved, ok := Room(positions, at, begins, ends)
		if !ok {
			if begins && ends && len(positions) < 10 {
				rt.Fatalf("Room(%v, %d) of a whole list: got no room", positions, at)
			}
			return
		}
		n := len(moved) - 1
		if at < from || at > from+n {
			rt.Fatalf("Room(%v, %d): the window from %d of %d tasks has no place for the task", positions, at, from, n)
		}
		for i, p := range moved {
			if math.Abs(p) > MaxPosition || i > 0 && p <= moved[i-1] {
				rt.Fatalf("Room(%v, %d): got %v, want ascending positions in range", positions, at, moved)
			}
		}
		if from > 0 && positions[from-1] >= moved[0] || from+n < len(positions) && positions[from+n] <= moved[n] {
			rt.Fatalf("Room(%v, %d): got %v from %d, want them between their neighbours", positions, at, moved, from)
		}
	})
}
