package exchange

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
)

// interopTask is a recurring task of the interoperability test. Its times are wall-clock times in its zone.
type interopTask struct {
	title, zone, start, due, rule string
	exdates                       []string
	occurrence                    int
	// unlike names the program that reads the task in another way, and why.
	unlike, why string
}

// interopTasks repeat over a change of the clocks.
var interopTasks = []interopTask{
	{title: "daily at nine over the change in New York", zone: "America/New_York", due: "2027-03-13T09:00", rule: "FREQ=DAILY"},
	{title: "Mondays in the evening, a Tuesday in UTC", zone: "America/New_York", due: "2027-02-22T20:30", rule: "FREQ=WEEKLY;BYDAY=MO"},
	{title: "the first of the month, all day", zone: "America/New_York", due: "2027-03-01", rule: "FREQ=MONTHLY;BYMONTHDAY=1"},
	{title: "in the hour that Berlin skips", zone: "Europe/Berlin", due: "2027-03-26T02:30", rule: "FREQ=DAILY",
		unlike: "icaljs.jsonl", why: "it reads a skipped time with the offset after the gap, against RFC 5545, section 3.3.5"},
	{title: "in the hour that Berlin has twice", zone: "Europe/Berlin", due: "2027-10-29T02:30", rule: "FREQ=DAILY",
		unlike: "icaljs.jsonl", why: "it takes the second of two equal times, against RFC 5545, section 3.3.5"},
	{title: "the last Friday in London", zone: "Europe/London", due: "2027-01-29T17:00", rule: "FREQ=MONTHLY;BYDAY=-1FR"},
	{title: "with exceptions", zone: "Europe/Berlin", due: "2027-03-25T08:00", rule: "FREQ=DAILY", exdates: []string{"2027-03-27", "2027-03-28", "2027-03-31"}},
	{title: "with exceptions, all day", zone: "Asia/Tokyo", due: "2027-03-25", rule: "FREQ=DAILY", exdates: []string{"2027-03-27"}},
	{title: "starts Mondays, due Wednesdays", zone: "America/New_York", start: "2027-02-22T08:00", due: "2027-02-24T17:00", rule: "FREQ=WEEKLY;BYDAY=MO"},
	{title: "the third of five", zone: "Europe/Berlin", due: "2027-03-27T10:00", rule: "FREQ=DAILY;COUNT=5", occurrence: 3},
	{title: "until a day", zone: "Europe/Berlin", due: "2027-03-26T23:00", rule: "FREQ=DAILY;UNTIL=20270330"},
	{title: "until an instant, all day", zone: "Europe/Berlin", due: "2027-03-26", rule: "FREQ=DAILY;UNTIL=20270329T230000Z"},
	{title: "half an hour on Lord Howe Island", zone: "Australia/Lord_Howe", due: "2027-03-31T09:00", rule: "FREQ=DAILY"},
	{title: "around Ramadan in Casablanca", zone: "Africa/Casablanca", due: "2027-02-03T09:00", rule: "FREQ=DAILY"},
	{title: "the Friday before the last Sunday in Jerusalem", zone: "Asia/Jerusalem", due: "2027-03-22T09:00", rule: "FREQ=DAILY"},
	{title: "the first Sunday after the second day in Santiago", zone: "America/Santiago", due: "2027-04-01T09:00", rule: "FREQ=DAILY"},
	{title: "midnight in Cairo", zone: "Africa/Cairo", due: "2027-04-26T09:00", rule: "FREQ=DAILY"},
	{title: "a zone without changes", zone: "Asia/Kolkata", due: "2027-03-26T09:00", rule: "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR"},
	{title: "UTC", zone: "UTC", due: "2027-03-26T09:00", rule: "FREQ=DAILY"},
	{title: "the last day of the month", zone: "Europe/Berlin", due: "2027-01-31T09:00", rule: "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
		unlike: "icaljs.jsonl", why: "it does not apply BYSETPOS to BYMONTHDAY"},
	{title: "the last day of the month, by its number", zone: "Europe/Berlin", due: "2027-01-31T09:00", rule: "FREQ=MONTHLY;BYMONTHDAY=-1"},
	{title: "29 February", zone: "Europe/Berlin", due: "2028-02-29", rule: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"},
	{title: "after 2037, when tables of zones end", zone: "America/New_York", due: "2041-03-08T09:00", rule: "FREQ=DAILY"},
}

func (i interopTask) task(t *testing.T, no int) domain.Task {
	t.Helper()
	zone, err := time.LoadLocation(i.zone)
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)
	task := domain.Task{TaskData: events.TaskData{
		ID: "7e57ab1e-0000-4000-8000-" + time.Unix(int64(no), 0).UTC().Format("000000000405"), Title: i.title, Status: events.StatusPending,
		Priority: events.PriorityMedium, Timezone: i.zone, CreatedAt: created, UpdatedAt: created, Position: float64(no),
		SeriesID: "7e57ab1e-0000-4000-8000-000000000000", OccurrenceNo: max(1, i.occurrence),
		Recurrence: &events.Recurrence{RRule: i.rule, Anchor: events.AnchorSchedule, Timezone: i.zone, CatchUp: events.CatchUpAll, ExDates: i.exdates},
	}}
	moment := func(text string) (string, *time.Time) {
		wall, err := time.Parse("2006-01-02T15:04", text)
		if err != nil {
			return text, nil
		}
		at := atWall(wall, zone)
		return "", &at
	}
	task.DueDate, task.DueAt = moment(i.due)
	task.StartDate, task.StartAt = moment(i.start)
	return task
}

// readOccurrences is how many occurrences the other programs read; see read.py and read.mjs.
const readOccurrences = 12

// reading is what another program reads.
type reading struct {
	UID, Summary, Status, Due string
	Occurrences               []string
}

// TestOtherProgramsSeeTheSameOccurrences compares the export with the stored readings of two other implementations. `make interop`
// makes the readings again.
func TestOtherProgramsSeeTheSameOccurrences(t *testing.T) {
	dir := filepath.Join("testdata", "interop")
	var file bytes.Buffer
	w, err := NewWriter(ICS, &file)
	if err != nil {
		t.Fatal(err)
	}
	var tasks []domain.Task
	for no, i := range interopTasks {
		tasks = append(tasks, i.task(t, no))
		if err := w.Write(tasks[no]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join(dir, "tasks.ics"), file.Bytes())
	for _, program := range []string{"icaljs.jsonl", "dateutil.jsonl"} {
		readings := readReadings(t, filepath.Join(dir, program))
		if len(readings) != len(tasks) {
			t.Fatalf("%s: got %d tasks, want %d", program, len(readings), len(tasks))
		}
		for no, r := range readings {
			if program == interopTasks[no].unlike {
				continue
			}
			if want := occurrencesOf(t, tasks[no], readOccurrences); r.Summary != tasks[no].Title || r.Due != due(tasks[no]) || !slices.Equal(r.Occurrences, want) {
				t.Errorf("%s reads %q: due %s, occurrences\n%v\nwant %s and\n%v", program, r.Summary, r.Due, r.Occurrences, due(tasks[no]), want)
			}
		}
	}
}

func readReadings(t *testing.T, path string) (out []reading) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		var r reading
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func due(t domain.Task) string {
	if t.DueAt != nil {
		return t.DueAt.UTC().Format(time.RFC3339)
	}
	return t.DueDate
}

// occurrencesOf returns the starts, or the due dates, of a task and of those that follow, at most n.
func occurrencesOf(t *testing.T, task domain.Task, n int) []string {
	t.Helper()
	following, err := recurrence.Occurrences(task.TaskData, recurrence.State{}, time.Time{}, n-1)
	if err != nil {
		t.Fatal(err)
	}
	text := func(m recurrence.Moment) string {
		if m.Date != "" {
			return m.Date
		}
		return m.At.UTC().Format(time.RFC3339)
	}
	out := []string{due(task)}
	if task.StartAt != nil {
		out[0] = task.StartAt.UTC().Format(time.RFC3339)
	}
	for _, o := range following {
		if task.StartAt != nil {
			out = append(out, text(o.Start))
		} else {
			out = append(out, text(o.Due))
		}
	}
	return out
}

// golden compares a file with its stored form.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs: run the test with -update and look at the change; got\n%s", path, got)
	}
}
