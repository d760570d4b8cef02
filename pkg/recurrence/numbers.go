package recurrence

import "math/bits"

// numbers is a set of numbers from 0 to 383, which is enough for the days of a year.
type numbers [6]uint64

func (s *numbers) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *numbers) has(n int) bool { return s[n/64]&(1<<(n%64)) != 0 }

// size returns how many numbers are in the set.
func (s *numbers) size() int {
	n := 0
	for _, word := range s {
		n += bits.OnesCount64(word)
	}
	return n
}

// positions are places in a row of days, counted from 1, from its start or from its end.
type positions struct {
	fromStart, fromEnd numbers
	given              bool // false: the part is not in the rule
}

// newPositions reads a part's list, in which a negative number counts from the end.
func newPositions(list []int) positions {
	var p positions
	for _, n := range list {
		p.add(n)
	}
	return p
}

func (p *positions) add(n int) {
	p.given = true
	if n < 0 {
		p.fromEnd.add(-n)
	} else {
		p.fromStart.add(n)
	}
}

// has reports whether the index-th of length places is one of them.
func (p *positions) has(index, length int) bool {
	return p.fromStart.has(index) || p.fromEnd.has(length-index+1)
}

// hasWeek reports the same for the index-th day of a row when every seventh day is a place: all Mondays of a month, for example.
func (p *positions) hasWeek(index, length int) bool {
	return p.fromStart.has((index-1)/7+1) || p.fromEnd.has((length-index)/7+1)
}

// none reports whether the part is given and has none of the first n positions from either side.
func (p *positions) none(n int) bool {
	for i := 1; i <= n; i++ {
		if p.fromStart.has(i) || p.fromEnd.has(i) {
			return false
		}
	}
	return p.given
}
