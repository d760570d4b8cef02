package exchange

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/taskwire/taskwire/pkg/recurrence"
)

// twSeries is a recurring task of Taskwarrior: a template, and the open instances that Taskwarrior has made from it. Taskwire has one
// open occurrence of a series, the earliest open instance. Without an instance the template's mask, with a character for each
// instance, says how many are done.
type twSeries struct {
	key       string // the uuid of the template; the template itself may be missing in a filtered export
	template  *twTask
	instances []*twTask
	returned  bool // the open occurrence
	content   strings.Builder
}

func (s *twSeries) add(t *twTask) {
	t.place = t.findPlace()
	if t.item.Source == s.key && s.template == nil {
		s.template = t
	} else {
		s.instances = append(s.instances, t)
	}
}

// next returns the open occurrence of the series, and then a task for each open instance that cannot be part of it. It returns false
// when nothing is left.
func (s *twSeries) next() (item Item, ok bool, err error) {
	if !s.returned {
		s.returned = true
		slices.SortStableFunc(s.instances, func(a, b *twTask) int { return cmp.Compare(a.place, b.place) })
		if s.template != nil && !s.template.open() {
			item, err = s.template.plain() // its instances do not recur any more
		} else {
			item, err = s.occurrence()
		}
		return item, true, err
	}
	if len(s.instances) == 0 {
		return Item{}, false, nil
	}
	t := s.instances[0]
	s.instances = s.instances[1:]
	delete(t.members, "recur") // the template is reported
	item, err = t.plain()
	return item, true, err
}

// findPlace returns the place of an instance in its series.
func (t *twTask) findPlace() int64 {
	if n, err := strconv.ParseFloat(t.text("imask"), 64); err == nil {
		return int64(n)
	}
	at, _, _ := readTime(t.text("due"), t.zone)
	return at.Unix()
}

// occurrence returns the open occurrence of the series.
func (s *twSeries) occurrence() (Item, error) {
	t := s.template
	if len(s.instances) > 0 {
		if t = s.instances[0]; s.template != nil {
			t.item.Line = s.template.item.Line
		}
		for _, other := range s.instances[1:] {
			s.fold(t, other)
		}
	}
	if err := t.fill(); err != nil {
		return Item{}, err
	}
	if s.template != nil && s.template != t {
		s.inherit(t)
	}
	t.item.Source, s.instances = s.key, nil
	t.item.Content += s.content.String()
	first := t
	if s.template != nil {
		first = s.template
	}
	due, day, ok := t.date("due", "due_date", "due_at")
	if ok {
		if err := s.recur(t, first, due, day); err != nil {
			return Item{}, err
		}
	} else if recur := first.text("recur"); recur != "" {
		t.item.keep(first.item.Line, "recur", recur)
	}
	t.keepAttribute("scheduled") // a rule counts from a start, and here from the due date
	t.keepAttribute("wait")
	return t.finish()
}

// fold puts another open instance into the description: Taskwire makes it when the occurrence before it is done.
func (s *twSeries) fold(t, other *twTask) {
	t.item.Notes = append(t.item.Notes, Note{other.item.Line, "parent", "makes it a later open instance of the task of line " + strconv.Itoa(t.item.Line) + ", which Taskwire makes itself"})
	s.content.WriteString(other.item.Content)
	if title := other.text("description"); title != t.text("description") {
		t.item.keep(other.item.Line, "instance", title)
	}
	other.annotations()
	t.merge(other)
}

// inherit takes over what only the template has.
func (s *twSeries) inherit(t *twTask) {
	s.template.annotations()
	t.merge(s.template)
	s.content.WriteString(s.template.item.Content)
	for name, raw := range s.template.members {
		if t.members[name] == nil && !slices.Contains([]string{"status", "mask", "due", "until"}, name) {
			t.members[name] = raw
		}
	}
	if was := s.template.text("description"); was != t.text("description") {
		t.item.keep(s.template.item.Line, "template", was)
	}
}

// merge adds the annotations of another task of the series.
func (t *twTask) merge(from *twTask) {
	for _, text := range from.texts {
		t.annotate(text)
	}
}

// recur sets the rule. For a template without an open instance it moves the due date to the next open occurrence.
func (s *twSeries) recur(t, first *twTask, due time.Time, day bool) error {
	text := first.text("recur")
	period, ok := parseTWPeriod(text)
	if !ok {
		t.item.keep(first.item.Line, "recur", text)
		t.keepAttribute("until")
		return nil
	}
	begin := due
	if at, _, ok := readTime(first.text("due"), t.zone); ok {
		begin = at
	}
	wall := begin.In(t.zone)
	date := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
	if t == s.template {
		if n := doneInstances(t.text("mask")); n > 0 {
			next := period.after(date, n)
			if due = atWall(next.Add(recurrence.Clock(begin, t.zone)), t.zone); day {
				t.item.set("due_date", next.Format(time.DateOnly))
			} else {
				t.item.set("due_at", instant(due))
			}
			t.item.note("mask", fmt.Sprintf("says that %d instances are done: the series continues after them", n))
		}
	}
	rule, ended := period.rule(date), false
	if until := first.text("until"); until != "" {
		if rule, ended, ok = withUntil(rule, until, due, t.zone); !ok {
			t.item.keep(first.item.Line, "until", until)
		}
	}
	if ended {
		return &Skipped{first.item.Line, "until", "is over: the series has ended, and no instance is open"}
	}
	t.item.recur(rule, "")
	return nil
}

// doneInstances returns the number of instances before the first open one. A mask has - for a pending instance and W for a waiting one.
func doneInstances(mask string) int {
	if i := strings.IndexAny(mask, "-W"); i >= 0 {
		return i
	}
	return len(mask)
}

// withUntil adds the end of the series to its rule, and reports whether the series has ended before due.
func withUntil(rule, until string, due time.Time, zone *time.Location) (with string, ended, ok bool) {
	at, day, ok := readTime(until, zone)
	switch {
	case !ok:
		return rule, false, false
	case day:
		return rule + ";UNTIL=" + at.Format("20060102"), due.After(at.AddDate(0, 0, 1)), true
	}
	return rule + ";UNTIL=" + at.UTC().Format(icsStamp), due.After(at), true
}
