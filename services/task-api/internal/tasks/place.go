package tasks

// This file gives a task its position: at the end, where the request says, or next to another task.

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"github.com/taskwire/taskwire/services/task-api/internal/publish"
)

const (
	// nearRows is the number of tasks on each side of a place that are read for a move: the moved task may be one of two.
	nearRows = 2
	// roomRows is the number of tasks on each side that are read to make room. Fewer are moved. It is more than the tasks of
	// a usual batch, which had one position in earlier versions of the service.
	roomRows = 100
	// maxRooms bounds how often a request is decided again to make room at another place.
	maxRooms = 8
)

// Place is a place in the user's order by position: around a task, after all tasks up to a position, or, if neither is set,
// at the end.
type Place struct {
	Task     *uuid.UUID
	Position *float64
	Rows     int // the number of tasks to read on each side
}

// Region is a part of the user's order by position. It has all tasks between its first and its last one.
type Region struct {
	Tasks        []domain.Task // not deleted, in the order of position and id
	Begins, Ends bool          // the user has no task before the first, or after the last
}

// noRoom means that a request must be decided again with more tasks around a place, which may have to move.
type noRoom struct{ place Place }

func (e *noRoom) Error() string {
	return fmt.Sprintf("more tasks around a place must be read: %+v", e.place)
}

// Beside names the task next to which a task is moved.
type Beside struct {
	Task   string
	Before bool // otherwise after
}

// askPlaces adds to a what the operation must know to give tasks their positions.
func (op Op) askPlaces(a *Ask) {
	around := func(id string) {
		if parsed, err := uuid.Parse(id); err == nil {
			a.Places = append(a.Places, Place{Task: &parsed, Rows: nearRows})
		}
	}
	switch {
	case op.Err != nil:
	case op.Beside != nil:
		if parsed, err := uuid.Parse(op.Beside.Task); err == nil {
			a.Tasks = append(a.Tasks, parsed)
		}
		around(op.Beside.Task)
	case op.Position != nil:
		a.Places = append(a.Places, Place{Position: op.Position, Rows: 1})
	case op.Create != nil:
		a.Last = true
	case op.Restores, op.Skip, op.follows():
		around(op.TaskID) // a successor comes after its task
	}
}

// span is a range of positions of which all tasks are known.
type span struct{ from, to float64 }

// learn adds what the store has read to the state of the user.
func (a *account) learn(answer Answer) {
	if answer.Last != nil {
		a.last, a.lastKnown = answer.Last.Position, true
	}
	for _, region := range answer.Regions {
		known := span{math.Inf(1), math.Inf(-1)}
		for _, t := range region.Tasks {
			a.put(t)
			known.from, known.to = min(known.from, t.Position), max(known.to, t.Position)
		}
		if region.Begins {
			known.from = math.Inf(-1)
		}
		if region.Ends {
			known.to = math.Inf(1)
		}
		a.known = append(a.known, known)
	}
}

// end returns the position after all tasks. It may be above domain.MaxPosition.
func (a *account) end() float64 {
	last := a.last
	if a.knows(math.Inf(1)) { // the last tasks may have moved down to make room
		last = nil
		for _, t := range a.tasks {
			if t.DeletedAt == nil && (last == nil || t.Position > *last) {
				last = &t.Position
			}
		}
	}
	if last == nil {
		return domain.PositionStep
	}
	return *last + domain.PositionStep
}

// position returns the position of a changed task: next to another one, or where the request says.
func (w *writer) position(a *account, r *request, before, after domain.Task, by *Beside) (float64, error) {
	if by != nil {
		return w.beside(a, r, after, *by)
	}
	return w.place(a, r, &before, after)
}

// place returns the position of a task that is created, changed or restored: the wanted one, or one after it and before
// the next task if another task has it. A task that is there already stays, so that a repeated request changes nothing. before
// is nil for a new task.
func (w *writer) place(a *account, r *request, before *domain.Task, after domain.Task) (float64, error) {
	p := after.Position
	switch {
	case after.DeletedAt != nil, before != nil && before.DeletedAt == nil && before.Position == p:
		return p, nil
	case p > domain.MaxPosition:
		return w.makeRoom(a, r, Place{}, after.ID, math.Inf(1), nil)
	case a.lastKnown && (a.last == nil || p > *a.last):
		return p, nil
	case !a.knows(p):
		return 0, &noRoom{Place{Position: &p, Rows: 1}}
	}
	taken, next := false, (*float64)(nil)
	for _, t := range a.tasks {
		switch {
		case t.ID == after.ID || t.DeletedAt != nil:
		case t.Position == p:
			taken = true
		case t.Position > p && (next == nil || t.Position < *next):
			next = &t.Position
		}
	}
	switch {
	case !taken:
		return p, nil
	case before != nil && before.DeletedAt == nil && before.Position > p && a.knows(before.Position) && (next == nil || before.Position < *next):
		return before.Position, nil
	}
	if free, ok := domain.Between(&p, next); ok && a.knows(free) {
		return free, nil
	}
	return w.makeRoom(a, r, Place{Position: &p}, after.ID, p, nil)
}

// knows reports whether all tasks around a position are known.
func (a *account) knows(p float64) bool {
	return slices.ContainsFunc(a.known, func(s span) bool { return s.from <= p && p <= s.to })
}

// beside returns the position of a task that is moved next to another one. It is its own position if it is there already.
func (w *writer) beside(a *account, r *request, moved domain.Task, by Beside) (float64, error) {
	target, ok := a.tasks[by.Task]
	if !ok || target.DeletedAt != nil {
		return 0, &domain.NeighbourError{Before: by.Before}
	}
	list, begins, ends := a.around(target.Position, "")
	at := slices.IndexFunc(list, func(t domain.Task) bool { return t.ID == target.ID })
	neighbour := at + 1
	if by.Before {
		neighbour = at - 1
	}
	if neighbour >= 0 && neighbour < len(list) && list[neighbour].ID == moved.ID && list[neighbour].Position != target.Position {
		return moved.Position, nil
	}
	list = slices.DeleteFunc(list, func(t domain.Task) bool { return t.ID == moved.ID })
	at = slices.IndexFunc(list, func(t domain.Task) bool { return t.ID == target.ID })
	if !by.Before {
		at++
	}
	lo, hi := neighbours(list, at)
	if free, ok := domain.Between(lo, hi); ok && (lo != nil || begins) && (hi != nil || ends) {
		return free, nil
	}
	id := uuid.MustParse(target.ID) // the id was read from a uuid column
	return w.makeRoom(a, r, Place{Task: &id}, moved.ID, target.Position, func(list []domain.Task) int {
		at := slices.IndexFunc(list, func(t domain.Task) bool { return t.ID == target.ID })
		if by.Before {
			return at
		}
		return at + 1
	})
}

func neighbours(list []domain.Task, at int) (lo, hi *float64) {
	if at > 0 {
		lo = &list[at-1].Position
	}
	if at < len(list) {
		hi = &list[at].Position
	}
	return lo, hi
}

// around returns the known tasks around a position in their order, without one of them, and whether they are the user's first
// and last ones.
func (a *account) around(p float64, without string) (list []domain.Task, begins, ends bool) {
	for _, s := range a.known {
		if p < s.from || p > s.to {
			continue
		}
		var found []domain.Task
		for _, t := range a.tasks {
			if t.DeletedAt == nil && t.ID != without && s.from <= t.Position && t.Position <= s.to {
				found = append(found, t)
			}
		}
		if len(found) >= len(list) {
			list, begins, ends = found, math.IsInf(s.from, -1), math.IsInf(s.to, 1)
		}
	}
	slices.SortFunc(list, func(a, b domain.Task) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.ID, b.ID))
	})
	return list, begins, ends
}

// makeRoom moves tasks around a position so that one more fits, and returns the position of that one. index returns its place
// in a list of tasks; with nil it is after all tasks up to p.
func (w *writer) makeRoom(a *account, r *request, want Place, id string, p float64, index func([]domain.Task) int) (float64, error) {
	if a.rooms == 0 { // the request did not ask for the tasks and the change numbers
		want.Rows = roomRows
		return 0, &noRoom{want}
	}
	a.rooms--
	list, begins, ends := a.around(p, id)
	at := len(list)
	if index != nil {
		at = index(list)
	} else if i := slices.IndexFunc(list, func(t domain.Task) bool { return t.Position > p }); i >= 0 {
		at = i
	}
	positions := make([]float64, len(list))
	for i, t := range list {
		positions[i] = t.Position
	}
	from, moved, ok := domain.Room(positions, at, begins, ends)
	if !ok {
		return 0, domain.ErrNoRoom
	}
	own := moved[at-from]
	for i, to := range slices.Delete(slices.Clone(moved), at-from, at-from+1) {
		if err := w.shift(a, r, list[from+i], to); err != nil {
			return 0, err
		}
	}
	return own, nil
}

// shift gives a task another position to make room for others.
func (w *writer) shift(a *account, r *request, before domain.Task, to float64) error {
	if before.Position == to {
		return nil
	}
	after := domain.Shifted(before, to, notBefore(w.s.now(), before.UpdatedAt))
	_, err := w.recordPlaced(a, r, &before, after, publish.Change{Type: events.Updated, Changes: domain.Diff(before, after)})
	return err
}

// needsRoom returns the place at which a request must make room, from the error of its decision.
func needsRoom(err error) (Place, bool) {
	var room *noRoom
	if errors.As(err, &room) {
		return room.place, true
	}
	return Place{}, false
}

// PositionOf returns the position that a request gives a task, or nil.
func PositionOf(f domain.Fields) *float64 {
	if !f.Position.HasValue() {
		return nil
	}
	return &f.Position.Value
}
