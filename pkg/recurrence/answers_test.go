package recurrence

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// answer is a line of testdata/answers.jsonl.gz; see testdata/answers.py.
type answer struct {
	Rule    string
	Zone    string
	Anchor  events.Anchor
	CatchUp events.CatchUp `json:"catch_up"`
	ExDates []string
	answerTimes
	Steps []struct {
		Done string
		No   int
		End  bool
		answerTimes
	}
	Far *struct {
		Rule, From string
		Next       *string
	}
}

type answerTimes struct{ Start, Due, Remind string }

func readAnswers(t testing.TB) []answer {
	t.Helper()
	file, err := os.Open("testdata/answers.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []answer
	for lines := bufio.NewScanner(unzipped); lines.Scan(); {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("line %d: %v", len(out)+1, err)
		}
		out = append(out, a)
	}
	return out
}

const minutes = "2006-01-02T15:04Z07:00"

// task returns the task with these times.
func (a *answer) task(t testing.TB, times answerTimes, no int) events.TaskData {
	at := func(s string) (string, *time.Time) {
		if len(s) <= len(time.DateOnly) {
			return s, nil
		}
		instant, err := time.Parse(minutes, s)
		if err != nil {
			t.Fatal(err)
		}
		return "", &instant
	}
	task := events.TaskData{OccurrenceNo: no, Timezone: "Asia/Tokyo", Recurrence: &events.Recurrence{
		RRule: a.Rule, Anchor: a.Anchor, Timezone: a.Zone, CatchUp: a.CatchUp, ExDates: a.ExDates,
	}}
	task.StartDate, task.StartAt = at(times.Start)
	task.DueDate, task.DueAt = at(times.Due)
	_, task.RemindAt = at(times.Remind)
	return task
}

// times returns the times of a successor in the form of an answer.
func (s Successor) times() answerTimes {
	text := func(day string, at *time.Time) string {
		if at == nil {
			return day
		}
		return at.Format(minutes)
	}
	return answerTimes{text(s.StartDate, s.StartAt), text(s.DueDate, s.DueAt), text("", s.RemindAt)}
}

// TestSeriesAgreeWithDateutil follows each stored series from task to task. Each task is computed from the one before it, the stored
// answers from the first one.
func TestSeriesAgreeWithDateutil(t *testing.T) {
	zones, anchors, series, steps := map[string]bool{}, map[events.Anchor]int{}, 0, 0
	for _, a := range readAnswers(t) {
		if a.Far != nil {
			continue
		}
		zones[a.Zone] = true
		anchors[a.Anchor]++
		series++
		times, state := a.answerTimes, State{}
		for i, step := range a.Steps {
			steps++
			done, err := time.Parse(minutes, step.Done)
			if err != nil {
				t.Fatal(err)
			}
			got, ok, err := SuccessorAt(a.task(t, times, i+1), state, done)
			if err != nil || ok == step.End {
				t.Fatalf("%s %s in %s, exdates %v, step %d: %+v done %s: got successor %v, %v; want %v", a.Anchor, a.Rule, a.Zone, a.ExDates, i+1, times, step.Done, ok, err, !step.End)
			}
			if step.End {
				break
			}
			if got.times() != step.answerTimes || got.State.RuleNo != step.No || got.OccurrenceNo != i+2 {
				t.Fatalf("%s %s in %s, catch up %s, exdates %v, step %d: %+v done %s: got %+v no %d, want %+v no %d", a.Anchor, a.Rule, a.Zone, a.CatchUp, a.ExDates,
					i+1, times, step.Done, got.times(), got.State.RuleNo, step.answerTimes, step.No)
			}
			times, state = got.times(), got.State
		}
	}
	t.Logf("%d series, %d steps, %d zones, anchors %v", series, steps, len(zones), anchors)
	if series < 10_000 || len(zones) < 20 || len(anchors) != 2 {
		t.Errorf("got %d series in %d zones with anchors %v, want 10,000 in 20 with both", series, len(zones), anchors)
	}
}

// TestRareDatesAgreeWithDateutil compares rules that meet their days rarely or never up to the year 9999.
func TestRareDatesAgreeWithDateutil(t *testing.T) {
	for _, a := range readAnswers(t) {
		if a.Far == nil {
			continue
		}
		want := ""
		if a.Far.Next != nil {
			want = *a.Far.Next
		}
		rule, err := Parse(a.Far.Rule)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := Next(rule, events.AnchorSchedule, time.UTC, Occurrence{No: 1, Date: a.Far.From}, time.Time{})
		if got.Date != want {
			t.Errorf("%s after %s: got %q, want %q", a.Far.Rule, a.Far.From, got.Date, want)
		}
		task := events.TaskData{DueDate: a.Far.From, Timezone: "UTC", Recurrence: &events.Recurrence{RRule: a.Far.Rule}}
		if err := CheckOccurs(task); (err == nil) != (want != "") {
			t.Errorf("CheckOccurs of %s from %s: got %v, want a next date: %v", a.Far.Rule, a.Far.From, err, cmp.Or(want, "none"))
		}
	}
}
