package exchange

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// dateLayouts are the usual ways in which Todoist writes a day.
var dateLayouts = []string{"2006-01-02", "2 Jan 2006", "Jan 2 2006", "January 2 2006", "2 January 2006", "02/01/2006"}

// clockLayouts are the ways in which Todoist writes a time of day after a day.
var clockLayouts = []string{"15:04", "15:04:05", "3:04pm", "3pm"}

var (
	every    = regexp.MustCompile(`^(?:every(!)?|ev(!)?) (?:(\d{1,3}|other) )?([a-z]+(?:, ?[a-z]+)*)(?: (?:at )?(\d{1,2}:\d\d|\d{1,2}(?::\d\d)?[ap]m))?(?: starting (?:on )?(.+))?$`)
	units    = map[string]string{"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
	short    = map[string]string{"daily": "DAILY", "weekly": "WEEKLY", "monthly": "MONTHLY", "yearly": "YEARLY"}
	weekdays = []string{"SU", "MO", "TU", "WE", "TH", "FR", "SA"}
)

// date reads DATE: a day, a day and a time, an instant, or a recurrence in English. If it cannot read the text, it adds a note
// and the task is imported without a date.
func (t *todoist) date(item *Item, text, lang string, zone *time.Location) {
	if text == "" {
		return
	}
	lower := strings.ToLower(strings.Join(strings.Fields(text), " "))
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		item.set("due_at", instant(at))
		return
	}
	if day, clock, ok := readDay(lower, zone); ok {
		item.due(day, clock)
		return
	}
	if lang != "" && lang != "en" {
		item.note("DATE", fmt.Sprintf("%.100q is in a language that is not supported: imported without a due date", text))
		return
	}
	if !t.recurring(item, lower, zone) {
		item.note("DATE", fmt.Sprintf("%.100q is not understood: imported without a due date", text))
	}
}

// readDay parses a day, with or without a time of day.
func readDay(text string, zone *time.Location) (day time.Time, clock, ok bool) {
	title := []byte(text)
	for i, c := range title { // month names begin with a capital letter
		if c >= 'a' && c <= 'z' && (i == 0 || title[i-1] == ' ') {
			title[i] = c - 'a' + 'A'
		}
	}
	for _, s := range []string{text, string(title)} {
		for _, layout := range dateLayouts {
			if day, err := time.ParseInLocation(layout, s, zone); err == nil {
				return day, false, true
			}
			for _, c := range clockLayouts {
				for _, between := range []string{" ", " at ", "T"} {
					if at, err := time.ParseInLocation(layout+between+c, s, zone); err == nil {
						return at, true, true
					}
				}
			}
		}
	}
	return time.Time{}, false, false
}

func (i *Item) due(at time.Time, clock bool) {
	if clock {
		i.set("due_at", instant(at))
	} else {
		i.set("due_date", at.Format(time.DateOnly))
	}
}

// recurring parses rules like "every day", "every! 3 weeks", "every mon, fri at 9am starting 2030-01-01".
func (t *todoist) recurring(item *Item, text string, zone *time.Location) bool {
	if freq, ok := short[text]; ok {
		text = "every " + map[string]string{"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}[freq]
	}
	m := every.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	rule, days, ok := ruleOf(m[4])
	if !ok {
		return false
	}
	switch {
	case m[3] == "other":
		rule += ";INTERVAL=2"
	case m[3] != "":
		rule += ";INTERVAL=" + m[3]
	}
	now := t.now.In(zone)
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
	if m[6] != "" {
		start, clock, ok := readDay(m[6], zone)
		if !ok || clock {
			return false
		}
		day = start
	} else {
		item.note("DATE", "names no first day: it is counted from the day of the import")
	}
	for len(days) > 0 && !slices.Contains(days, day.Weekday()) {
		day = day.AddDate(0, 0, 1)
	}
	clock := m[5] != ""
	if clock {
		at, _, ok := readDay(day.Format(time.DateOnly)+" "+m[5], zone)
		if !ok {
			return false
		}
		day = at
	}
	anchor := "schedule"
	if m[1]+m[2] != "" {
		anchor = "completion"
	}
	item.due(day, clock)
	item.recur(rule, anchor)
	return true
}

// ruleOf parses "days", "month", "weekday" or a list of days of the week.
func ruleOf(what string) (rule string, days []time.Weekday, ok bool) {
	if freq, ok := units[strings.TrimSuffix(what, "s")]; ok {
		return "FREQ=" + freq, nil, true
	}
	if what == "weekday" || what == "workday" {
		what = "mon,tue,wed,thu,fri"
	}
	var names []string
	for name := range strings.SplitSeq(what, ",") {
		name = strings.TrimSpace(name)
		day := slices.IndexFunc([]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}, func(full string) bool {
			return len(name) >= 3 && strings.HasPrefix(full, name)
		})
		if day < 0 {
			return "", nil, false
		}
		days, names = append(days, time.Weekday(day)), append(names, weekdays[day])
	}
	return "FREQ=WEEKLY;BYDAY=" + strings.Join(names, ","), days, true
}
