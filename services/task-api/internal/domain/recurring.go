package domain

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// SuccessorID returns the id of an occurrence: the UUIDv5 of its series and number. It is the same on every replica and on every
// attempt. The error says that seriesID is not a UUID.
func SuccessorID(seriesID string, occurrenceNo int) (string, error) {
	series, err := uuid.Parse(seriesID)
	if err != nil {
		return "", err
	}
	return uuid.NewSHA1(series, []byte(strconv.Itoa(occurrenceNo))).String(), nil
}

// Successor returns the occurrence that follows done in its series. done was completed or skipped at that time. It reports false if
// the series ends with done. The successor has the values of the series: status, times and numbers are new. A reminder that is past
// at now does not fire. The error is ErrSeriesEnded, ErrNotRecurring or *Invalid.
func Successor(done Task, at, now time.Time) (Task, bool, error) {
	switch {
	case done.DeletedAt != nil:
		return Task{}, false, ErrSeriesEnded
	case done.SeriesID == "":
		return Task{}, false, ErrNotRecurring
	}
	was := done.Series()
	if was.Recurrence == nil {
		return Task{}, false, ErrNotRecurring
	}
	next, ok, err := recurrence.SuccessorAt(was.TaskData, was.state(), at)
	if err != nil {
		return Task{}, false, &Invalid{Fields: []FieldError{{"recurrence", err.Error()}}}
	}
	if !ok {
		return Task{}, false, nil
	}
	t := was.clone()
	if t.ID, err = SuccessorID(done.SeriesID, done.OccurrenceNo+1); err != nil {
		return Task{}, false, err
	}
	created := Instant(now)
	t.OccurrenceNo, t.Version, t.Seq, t.EngineVersion = done.OccurrenceNo+1, 0, 0, 1 // the store makes it version 1
	t.Status, t.CompletedAt, t.DeletedAt, t.CreatedAt, t.UpdatedAt = events.StatusPending, nil, nil, created, created
	t.StartDate, t.StartAt, t.StartClock = next.StartDate, stored(next.StartAt), next.State.StartClock
	t.DueDate, t.DueAt, t.DueClock = next.DueDate, stored(next.DueAt), next.State.DueClock
	t.RemindAt, t.RemindClock = stored(next.RemindAt), next.State.RemindClock
	t.Recurrence.RRule = lessCount(t.Recurrence.RRule, next.Elapsed-1)
	t.Quiet = t.RemindAt != nil && !t.RemindAt.After(now)
	t.SeriesEnds = t.ends()
	if t.beyondRange() {
		return Task{}, false, nil
	}
	var p problems
	t.checkTimes(&p)
	return t, true, p.err(false)
}

// ends reports whether the rule gives no occurrence after this one.
func (t Task) ends() bool {
	was := t.Series()
	if was.Recurrence == nil {
		return false
	}
	ends, err := recurrence.Ends(was.TaskData, was.state())
	return err == nil && ends
}

// checkSeries refuses a rule that can never occur, and finds out whether the series ends with this task. A rule that was stored
// before stays allowed while its task changes in other ways.
func (t *Task) checkSeries(p *problems, before Task) {
	if len(p.list) > 0 {
		return
	}
	same := sameRecurrence(t.Recurrence, before.Recurrence) && t.StartDate == before.StartDate && sameInstant(t.StartAt, before.StartAt) &&
		t.DueDate == before.DueDate && sameInstant(t.DueAt, before.DueAt)
	if same {
		return
	}
	if t.Recurrence != nil {
		if err := recurrence.CheckOccurs(t.TaskData); err != nil {
			p.add("recurrence.rrule", err.Error())
			return
		}
	}
	t.SeriesEnds = t.ends()
}

// state returns what the series remembers with the task. Its RuleNo is always the occurrence number: see lessCount.
func (t Task) state() recurrence.State {
	return recurrence.State{StartClock: t.StartClock, DueClock: t.DueClock, RemindClock: t.RemindClock}
}

// lessCount returns the rule with a COUNT that is smaller by the occurrences that were left out or passed over. So COUNT is always
// compared with occurrence_no, also after an export and an import.
func lessCount(rrule string, skipped int) string {
	parts := strings.Split(rrule, ";")
	for i, part := range parts {
		if digits, ok := strings.CutPrefix(part, "COUNT="); ok && skipped > 0 {
			if n, err := strconv.Atoi(digits); err == nil {
				parts[i] = "COUNT=" + strconv.Itoa(n-skipped)
			}
		}
	}
	return strings.Join(parts, ";")
}

func stored(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	v := Instant(*at)
	return &v
}

// beyondRange reports whether a date of a successor is outside of the years that a request may have. The series ends before that.
func (t Task) beyondRange() bool {
	outside := func(year int) bool { return year < MinYear || year > MaxYear }
	for _, at := range []*time.Time{t.StartAt, t.DueAt, t.RemindAt} {
		if at != nil && outside(at.Year()) {
			return true
		}
	}
	for _, date := range []string{t.StartDate, t.DueDate} {
		if day, err := time.Parse(time.DateOnly, date); err == nil && outside(day.Year()) {
			return true
		}
	}
	return false
}
