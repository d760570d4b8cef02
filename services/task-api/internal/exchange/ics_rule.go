package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// This file translates RRULE into a rule of pkg/recurrence.

// icsRule is a translated rule.
type icsRule struct {
	text   string
	anchor events.Anchor // "" unless the rule names it
	notes  []string      // about parts that are left out
}

// readRule translates a rule that counts from a moment. The error says which part Taskwire does not support. A rule is never taken
// without a part that changes its days.
func readRule(value string, from moment) (icsRule, error) {
	var r icsRule
	parts := map[string]string{}
	var order []string
	for part := range strings.SplitSeq(strings.ToUpper(strings.Join(strings.Fields(value), "")), ";") {
		if part == "" {
			continue // a semicolon at the end means nothing
		}
		name, v, _ := strings.Cut(part, "=")
		if _, again := parts[name]; again {
			return r, fmt.Errorf("%.50s occurs twice in the rule", name)
		}
		switch {
		case strings.HasPrefix(name, "X-"):
			r.notes = append(r.notes, fmt.Sprintf("has the part %.50s, which is left out: only its program knows it", part))
			continue
		case name == "FROM" && v == "COMPLETION": // written by programs that count from the completion
			r.anchor = events.AnchorCompletion
			continue
		}
		if name == "INTERVAL" && v == "1" {
			continue // the default
		}
		parts[name] = v
		order = append(order, name)
	}
	drop := func(name string) {
		delete(parts, name)
		order = slices.DeleteFunc(order, func(o string) bool { return o == name })
	}
	for name, own := range map[string]int{"BYHOUR": from.wall.Hour(), "BYMINUTE": from.wall.Minute(), "BYSECOND": from.wall.Second()} {
		if v, ok := parts[name]; ok && from.clock {
			if n, err := strconv.Atoi(v); err == nil && n == own {
				drop(name) // the time of the start says the same
			}
		}
	}
	if until, ok := parts["UNTIL"]; ok {
		parts["UNTIL"] = strings.NewReplacer("-", "", ":", "").Replace(until)
	}
	if err := skipDays(parts, from, drop, func(name, v string) { parts[name] = v; order = append(order, name) }); err != nil {
		return r, err
	}
	var b strings.Builder
	for i, name := range order {
		if i > 0 {
			b.WriteByte(';')
		}
		b.WriteString(name + "=" + parts[name])
	}
	r.text = b.String()
	if _, err := recurrence.Parse(r.text); err != nil {
		return r, err
	}
	if from.loc == nil {
		return r, nil // the rule of a time zone
	}
	return r, recurrence.CheckOccurs(r.task(from))
}

// task returns a task that is due at a moment and recurs by the rule, one occurrence after the other.
func (r icsRule) task(at moment) events.TaskData {
	zone := at.loc.String()
	t := events.TaskData{Timezone: zone, Recurrence: &events.Recurrence{RRule: r.text, Anchor: events.AnchorSchedule, Timezone: zone, CatchUp: events.CatchUpAll}}
	if at.clock {
		t.DueAt = &at.at
	} else {
		t.DueDate = at.day(at.loc)
	}
	return t
}

// skipDays translates RSCALE and SKIP (RFC 7529). SKIP=BACKWARD moves a day that a month does not have to the last day of that month:
// from the 30th, that is the last one of the days 28, 29 and 30 that the month has.
func skipDays(parts map[string]string, from moment, drop func(string), set func(name, v string)) error {
	scale, skip := parts["RSCALE"], parts["SKIP"]
	if scale != "" && scale != "GREGORIAN" {
		return fmt.Errorf("RSCALE=%.50s is not supported", scale)
	}
	drop("RSCALE")
	drop("SKIP")
	if skip == "" || skip == "OMIT" {
		return nil
	}
	if skip != "BACKWARD" && skip != "FORWARD" {
		return fmt.Errorf("SKIP=%.50s is not supported", skip)
	}
	freq := parts["FREQ"]
	for name := range parts {
		if strings.HasPrefix(name, "BY") && name != "BYMONTHDAY" && name != "BYMONTH" {
			return fmt.Errorf("SKIP=%s is not supported with %.50s", skip, name)
		}
	}
	day := from.wall.Day()
	if v, ok := parts["BYMONTHDAY"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 31 {
			return fmt.Errorf("SKIP=%s is not supported with these BYMONTHDAY", skip)
		}
		day = n
	}
	switch {
	case freq == "DAILY" || freq == "WEEKLY" || day <= 28:
		return nil // no day is skipped
	case skip == "FORWARD" || freq != "MONTHLY" && freq != "YEARLY":
		return fmt.Errorf("SKIP=%s is not supported", skip)
	}
	if freq == "YEARLY" && parts["BYMONTH"] == "" {
		set("BYMONTH", strconv.Itoa(int(from.wall.Month())))
	}
	drop("BYMONTHDAY")
	if day == 31 {
		set("BYMONTHDAY", "-1")
		return nil
	}
	set("BYMONTHDAY", map[int]string{29: "28,29", 30: "28,29,30"}[day])
	set("BYSETPOS", "-1")
	return nil
}
