package exchange

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// fromTaskwarrior reads a file and returns the items, and the reports of what became no task.
func fromTaskwarrior(t *testing.T, objects ...string) (items []Item, reports []string) {
	t.Helper()
	reader, err := NewReader(Taskwarrior, strings.NewReader("["+strings.Join(objects, ",\n")+"]"), Options{Zone: "Europe/Berlin", Now: options.Now})
	if err != nil {
		t.Fatal(err)
	}
	for {
		item, err := reader.Next()
		var skipped *Skipped
		var refused *Refused
		switch {
		case errors.Is(err, io.EOF):
			return items, reports
		case errors.As(err, &skipped), errors.As(err, &refused):
			reports = append(reports, err.Error())
		case err != nil:
			t.Fatal(err)
		default:
			items = append(items, item)
		}
	}
}

func fieldOf(item Item, name string) string {
	raw := item.Fields[name]
	if raw == nil {
		return ""
	}
	return textOf(raw)
}

// TestTemplatesContinueAtTheNextOpenOccurrence has the ways in which a file shows how far a series is.
func TestTemplatesContinueAtTheNextOpenOccurrence(t *testing.T) {
	const template = `{"uuid":"t","description":"x","status":"recurring","recur":"weekly","due":"20270305T080000Z"`
	instance := func(no, due, more string) string {
		return `{"uuid":"i` + no + `","description":"x","status":"pending","recur":"weekly","parent":"t","imask":` + no + `,"due":"` + due + `"` + more + `}`
	}
	for name, c := range map[string]struct {
		objects []string
		due     string // of the one task; "" for none
		kept    string
	}{
		"a template alone":                   {[]string{template + "}"}, "2027-03-05T08:00:00Z", ""},
		"a mask of done instances":           {[]string{template + `,"mask":"+X+"}`}, "2027-03-26T08:00:00Z", ""},
		"over a change of the clocks":        {[]string{template + `,"mask":"++++"}`}, "2027-04-02T07:00:00Z", ""},
		"a pending place in the mask":        {[]string{template + `,"mask":"++-"}`}, "2027-03-19T08:00:00Z", ""},
		"a waiting place in the mask":        {[]string{template + `,"mask":"+W+"}`}, "2027-03-12T08:00:00Z", ""},
		"an instance after the template":     {[]string{template + `,"mask":"+-"}`, instance("1", "20270312T080000Z", "")}, "2027-03-12T08:00:00Z", ""},
		"an instance before the template":    {[]string{instance("1", "20270312T080000Z", ""), template + `,"mask":"+-"}`}, "2027-03-12T08:00:00Z", ""},
		"an instance that was moved":         {[]string{template + `,"mask":"+-"}`, instance("1", "20270313T100000Z", "")}, "2027-03-13T10:00:00Z", ""},
		"the earliest of two open instances": {[]string{template + `}`, instance("2", "20270319T080000Z", `,"annotations":[{"description":"of the later"}]`), instance("1", "20270312T080000Z", "")}, "2027-03-12T08:00:00Z", "of the later"},
		"an instance without its template":   {[]string{instance("1", "20270312T080000Z", "")}, "2027-03-12T08:00:00Z", ""},
		"an end that is ahead":               {[]string{template + `,"until":"20270401T000000Z"}`}, "2027-03-05T08:00:00Z", ""},
		"an end that is over":                {[]string{template + `,"mask":"++","until":"20270310T000000Z"}`}, "", ""},
		"another title of the instance":      {[]string{strings.Replace(template, `"x"`, `"the template"`, 1) + "}", instance("1", "20270312T080000Z", "")}, "2027-03-12T08:00:00Z", "template: the template"},
	} {
		items, reports := fromTaskwarrior(t, c.objects...)
		if c.due == "" {
			if len(items) != 0 || len(reports) != 1 {
				t.Errorf("%s: got %d tasks and %v, want only a report", name, len(items), reports)
			}
			continue
		}
		if len(items) != 1 || len(reports) != 0 {
			t.Errorf("%s: got %d tasks and %v, want one task", name, len(items), reports)
			continue
		}
		item := items[0]
		if fieldOf(item, "due_at") != c.due || item.Source != "t" || !strings.Contains(fieldOf(item, "recurrence"), "FREQ=WEEKLY") || !strings.Contains(fieldOf(item, "description"), c.kept) {
			t.Errorf("%s: got due %s, id %s, rule %s, description %q; want %s, t, FREQ=WEEKLY and %q", name, fieldOf(item, "due_at"), item.Source, fieldOf(item, "recurrence"), fieldOf(item, "description"), c.due, c.kept)
		}
	}
}

func TestInstancesOfADeletedTemplateDoNotRecur(t *testing.T) {
	items, reports := fromTaskwarrior(t,
		`{"uuid":"t","description":"x","status":"deleted","recur":"weekly","mask":"-","due":"20270305T080000Z"}`,
		`{"uuid":"i","description":"x","status":"pending","recur":"weekly","parent":"t","imask":0,"due":"20270305T080000Z"}`)
	if len(items) != 1 || len(reports) != 1 || items[0].Source != "i" || items[0].Fields["recurrence"] != nil {
		t.Errorf("got %+v and %v, want a task without a rule, and a report about the template", items, reports)
	}
}

func TestSeriesBeforeACutAreKept(t *testing.T) {
	reader, err := NewReader(Taskwarrior, strings.NewReader(`[{"uuid":"t","description":"whole","status":"recurring","recur":"daily","due":"20270305T080000Z"},{"description":"cut`), options)
	if err != nil {
		t.Fatal(err)
	}
	if item, err := reader.Next(); err != nil || titleOf(item) != "whole" {
		t.Errorf("before the cut: got %q, %v", titleOf(item), err)
	}
	if _, err := reader.Next(); !errors.Is(err, ErrFile) {
		t.Errorf("at the cut: got %v, want ErrFile", err)
	}
}

func TestMostHeldBoundsTheSeriesOfAFile(t *testing.T) {
	reader := newTaskwarrior(strings.NewReader(`[{"uuid":"t","description":"x","recur":"daily"}]`), time.UTC)
	reader.held = mostHeld - len(`{"uuid":"t","description":"x","recur":"daily"}`)
	if _, err := reader.Next(); err != nil {
		t.Errorf("at the limit: got %v", err)
	}
	reader = newTaskwarrior(strings.NewReader(`[{"uuid":"t","description":"x","recur":"daily"}]`), time.UTC)
	reader.held = mostHeld - len(`{"uuid":"t","description":"x","recur":"daily"}`) + 1
	var refused *Refused
	if _, err := reader.Next(); !errors.As(err, &refused) || refused.Field != "recur" {
		t.Errorf("above the limit: got %v, want a refusal", err)
	}
}

func TestPeriodsOfTaskwarrior(t *testing.T) {
	day := func(text string) time.Time {
		at, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, c := range []struct{ recur, first, rule, second, tenth string }{
		{"daily", "2027-01-10", "FREQ=DAILY", "2027-01-11", "2027-01-20"},
		{"3 days", "2027-01-10", "FREQ=DAILY;INTERVAL=3", "2027-01-13", "2027-02-09"},
		{"P1W2D", "2027-01-10", "FREQ=DAILY;INTERVAL=9", "2027-01-19", "2027-04-10"},
		{"weekly", "2027-01-10", "FREQ=WEEKLY", "2027-01-17", "2027-03-21"},
		{"2wks", "2027-01-10", "FREQ=WEEKLY;INTERVAL=2", "2027-01-24", "2027-05-30"},
		{"P2W", "2027-01-10", "FREQ=WEEKLY;INTERVAL=2", "2027-01-24", "2027-05-30"},
		{"weekdays", "2027-01-08", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2027-01-11", "2027-01-22"},
		{"weekdays", "2027-01-09", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2027-01-11", "2027-01-22"},
		{"weekdays", "2027-01-10", "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "2027-01-11", "2027-01-22"},
		{"monthly", "2027-01-28", "FREQ=MONTHLY", "2027-02-28", "2027-11-28"},
		{"monthly", "2027-01-29", "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1", "2027-02-28", "2027-11-29"},
		{"monthly", "2027-01-30", "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1", "2027-02-28", "2027-11-30"},
		{"Monthly", "2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2027-02-28", "2027-11-30"},
		{"quarterly", "2027-01-31", "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=28,29,30,31;BYSETPOS=-1", "2027-04-30", "2029-07-31"},
		{"3q", "2027-01-10", "FREQ=MONTHLY;INTERVAL=9", "2027-10-10", "2034-07-10"},
		{"yearly", "2027-03-01", "FREQ=YEARLY", "2028-03-01", "2037-03-01"},
		{"biannual", "2027-03-01", "FREQ=YEARLY;INTERVAL=2", "2029-03-01", "2047-03-01"},
		{"annual", "2028-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "2029-02-28", "2038-02-28"},
		{"P1Y6M", "2027-01-10", "FREQ=MONTHLY;INTERVAL=18", "2028-07-10", "2042-01-10"},
	} {
		p, ok := parseTWPeriod(c.recur)
		if !ok {
			t.Errorf("%s: not understood", c.recur)
			continue
		}
		first := day(c.first)
		if got := p.rule(first); got != c.rule || !p.after(first, 0).Equal(first) || !p.after(first, 1).Equal(day(c.second)) || !p.after(first, 10).Equal(day(c.tenth)) {
			t.Errorf("%s from %s: got %s, then %s and %s; want %s, %s and %s", c.recur, c.first, got, p.after(first, 1).Format(time.DateOnly), p.after(first, 10).Format(time.DateOnly), c.rule, c.second, c.tenth)
		}
	}
	for _, recur := range []string{"PT12H", "hourly", "0d", "P", "P1M2D", "-1d", "d", "every day", "", "99999d", "3x"} {
		if p, ok := parseTWPeriod(recur); ok {
			t.Errorf("%q: got %+v, want nothing", recur, p)
		}
	}
}

func TestTimesOfTaskwarriorInEachForm(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"20270328T013000Z": "2027-03-28T01:30:00Z", "2027-03-28T01:30:00Z": "2027-03-28T01:30:00Z", "2027-03-28T03:30:00+02:00": "2027-03-28T01:30:00Z",
		"20270328T023000": "2027-03-28T01:30:00Z", "2027-10-31T02:30:00": "2027-10-31T00:30:00Z", "1780000000": "2026-05-28T20:26:40Z",
		"2027-03-01": "2027-02-28T23:00:00Z", "20270301": "2027-02-28T23:00:00Z", "tomorrow": "", "": "", "17": "", "1e30": "",
	} {
		at, _, ok := readTime(text, berlin)
		if got := at.UTC().Format(time.RFC3339); ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %s, %v, want %q", text, got, ok, want)
		}
	}
}

// TestChangeInTaskwarriorWins changes the attributes of Taskwarrior in Taskwire's own export.
func TestChangeInTaskwarriorWins(t *testing.T) {
	exported := map[string]any{
		"uuid": "1", "description": "x", "status": "pending", "priority": "H", "due": "20270301T225959Z", "entry": "20260601T080000Z",
		"taskwire_status": "pending", "taskwire_priority": "urgent", "taskwire_timezone": "Europe/Berlin", "taskwire_due_date": "2027-03-01",
	}
	for name, c := range map[string]struct{ attribute, value, field, want string }{
		"as it was: the day":      {"description", "y", "due_date", "2027-03-01"},
		"as it was: the priority": {"description", "y", "priority", "urgent"},
		"another due time":        {"due", "20270302T100000Z", "due_at", "2027-03-02T10:00:00Z"},
		"another priority":        {"priority", "L", "priority", "low"},
		"done in Taskwarrior":     {"status", "completed", "status", "completed"},
		"begun in Taskwarrior":    {"start", "20270228T080000Z", "status", "in_progress"},
	} {
		object := map[string]any{}
		for k, v := range exported {
			object[k] = v
		}
		object[c.attribute] = c.value
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		items, reports := fromTaskwarrior(t, string(raw))
		if len(items) != 1 || fieldOf(items[0], c.field) != c.want {
			t.Errorf("%s: got %+v, %v, want %s %s", name, items, reports, c.field, c.want)
		}
	}
}
