package exchange

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
	"github.com/taskwire/taskwire/services/task-api/internal/domain"
	"pgregory.net/rapid"
)

func exportICS(t testing.TB, tasks ...domain.Task) string {
	t.Helper()
	var file bytes.Buffer
	w, err := NewWriter(ICS, &file)
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if err := w.Write(task); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(file.String(), "\r\n ", "")
}

// TestOtherProgramsGetWallClockTimes has the lines that a program needs that knows nothing of Taskwire.
func TestOtherProgramsGetWallClockTimes(t *testing.T) {
	zone := "America/New_York"
	for name, c := range map[string]struct {
		fields map[string]any
		lines  []string
	}{
		"a daily rule over the change": {
			map[string]any{"due_at": "2027-03-13T14:00:00Z", "recurrence": map[string]any{"rrule": "FREQ=DAILY"}},
			[]string{"DTSTART;TZID=America/New_York:20270313T090000", "DUE;TZID=America/New_York:20270313T090000", "RRULE:FREQ=DAILY", "BEGIN:VTIMEZONE"},
		},
		"a weekday that differs in UTC": {
			map[string]any{"due_at": "2027-02-23T01:30:00Z", "recurrence": map[string]any{"rrule": "FREQ=WEEKLY;BYDAY=MO"}},
			[]string{"DTSTART;TZID=America/New_York:20270222T203000", "RRULE:FREQ=WEEKLY;BYDAY=MO"},
		},
		"a day": {
			map[string]any{"due_date": "2027-03-01", "recurrence": map[string]any{"rrule": "FREQ=MONTHLY;BYMONTHDAY=1"}},
			[]string{"DTSTART;VALUE=DATE:20270301", "DUE;VALUE=DATE:20270301"},
		},
		"a start": {
			map[string]any{"start_date": "2027-03-01", "due_date": "2027-03-05"},
			[]string{"DTSTART;VALUE=DATE:20270301", "DUE;VALUE=DATE:20270305"},
		},
		"exceptions and an end": {
			map[string]any{"due_at": "2027-03-13T14:00:00Z", "recurrence": map[string]any{"rrule": "FREQ=DAILY;UNTIL=20270401", "exdates": []string{"2027-03-14"}}},
			[]string{"EXDATE;TZID=America/New_York:20270314T090000", "RRULE:FREQ=DAILY;UNTIL=20270402T035959Z"},
		},
		"a reminder of each occurrence": {
			map[string]any{"due_at": "2027-03-13T14:00:00Z", "remind_at": "2027-03-12T13:30:00Z", "recurrence": map[string]any{"rrule": "FREQ=DAILY"}},
			[]string{"TRIGGER;RELATED=END:-P1DT0H30M0S"},
		},
		"one reminder": {
			map[string]any{"due_at": "2027-03-13T14:00:00Z", "remind_at": "2027-03-12T13:30:00Z"},
			[]string{"TRIGGER;VALUE=DATE-TIME:20270312T133000Z", "DUE;TZID=America/New_York:20270313T090000"},
		},
		"the second of two equal times":   {map[string]any{"due_at": "2027-11-07T06:30:00Z"}, []string{"DUE:20271107T063000Z"}},
		"a year before those of the zone": {map[string]any{"due_at": "1999-01-01T08:00:00Z"}, []string{"DUE:19990101T080000Z"}},
		"done":                            {map[string]any{"status": "completed"}, []string{"STATUS:COMPLETED", "COMPLETED:20291230T223000Z"}},
		"cancelled":                       {map[string]any{"status": "cancelled"}, []string{"STATUS:CANCELLED"}},
		"begun":                           {map[string]any{"status": "in_progress"}, []string{"STATUS:IN-PROCESS"}},
	} {
		c.fields["title"], c.fields["timezone"] = "x", zone
		task, err := importFields(c.fields, domain.Origin{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		file := exportICS(t, task)
		for _, line := range c.lines {
			if !strings.Contains(file, "\r\n"+line+"\r\n") {
				t.Errorf("%s: got\n%s\nwant the line %s", name, file, line)
			}
		}
	}
}

func TestCountGoesOnFromTheOccurrence(t *testing.T) {
	task, err := importFields(map[string]any{"title": "x", "due_date": "2027-03-01", "recurrence": map[string]any{"rrule": "FREQ=DAILY;COUNT=5"}}, domain.Origin{SeriesID: roundTripSeries, OccurrenceNo: 3})
	if err != nil {
		t.Fatal(err)
	}
	if file := exportICS(t, task); !strings.Contains(file, "RRULE:FREQ=DAILY;COUNT=3\r\n") {
		t.Errorf("the third of five: got\n%s\nwant the three that are left", file)
	}
}

func TestZoneIsWrittenOnceBeforeItsFirstUse(t *testing.T) {
	at := time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC)
	task := func(zone string) domain.Task {
		return domain.Task{TaskData: events.TaskData{ID: zone, Title: "x", Status: events.StatusPending, Priority: events.PriorityLow, Timezone: zone, DueAt: &at}}
	}
	file := exportICS(t, task("Europe/Berlin"), task("Asia/Tokyo"), task("Europe/Berlin"), task("UTC"))
	if got := strings.Count(file, "BEGIN:VTIMEZONE"); got != 2 || strings.Index(file, "TZID:Asia/Tokyo") > strings.Index(file, "TZID=Asia/Tokyo") {
		t.Errorf("got %d zones in\n%s\nwant 2, each before its use", got, file)
	}
}

// TestZonesGiveTheirOwnOffsets reads a VTIMEZONE under a name that is no zone, so that only its rules count.
func TestZonesGiveTheirOwnOffsets(t *testing.T) {
	names := []string{"Europe/Berlin", "America/New_York", "Europe/Dublin", "Africa/Casablanca", "Africa/Cairo", "Asia/Jerusalem", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia", "Asia/Gaza", "Antarctica/Troll", "Europe/Istanbul", "America/Caracas", "Asia/Pyongyang"}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(names).Draw(t, "zone")
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		wall := time.Date(rapid.IntRange(firstZoneYear+1, 2060).Draw(t, "year"), time.Month(rapid.IntRange(1, 12).Draw(t, "month")), rapid.IntRange(1, 28).Draw(t, "day"), rapid.IntRange(4, 22).Draw(t, "hour"), 0, 0, 0, time.UTC)
		var file strings.Builder
		file.WriteString("BEGIN:VCALENDAR\r\n")
		writeVTimezone(&file, zone)
		text := strings.Replace(file.String(), "TZID:"+name, "TZID:only these rules", 1)
		text += fmt.Sprintf("BEGIN:VTODO\r\nUID:1\r\nSUMMARY:x\r\nDUE;TZID=only these rules:%s\r\nEND:VTODO\r\nEND:VCALENDAR\r\n", wall.Format(icsWall))
		reader, err := NewReader(ICS, strings.NewReader(text), options)
		if err != nil {
			t.Fatal(err)
		}
		item, err := reader.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fieldOf(item, "due_at"), instant(atWall(wall, zone)); got != want {
			t.Errorf("%s at %s: got %s, want %s by\n%s", name, wall.Format(icsWall), got, want, text)
		}
	})
}
