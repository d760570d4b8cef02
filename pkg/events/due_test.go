package events_test

import (
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestDueInstantIsEndOfDayInTheTasksZone(t *testing.T) {
	tests := []struct {
		name, date, zone, want string
	}{
		{"UTC", "2026-11-09", "UTC", "2026-11-09T23:59:59Z"},
		{"winter", "2026-01-15", "Europe/Berlin", "2026-01-15T22:59:59Z"},
		{"summer", "2026-07-15", "Europe/Berlin", "2026-07-15T21:59:59Z"},
		{"the day the clocks go forward", "2026-03-29", "Europe/Berlin", "2026-03-29T21:59:59Z"},
		{"the day before", "2026-03-28", "Europe/Berlin", "2026-03-28T22:59:59Z"},
		{"the day the clocks go back", "2026-10-25", "Europe/Berlin", "2026-10-25T22:59:59Z"},
		{"New York, the day the clocks go back", "2026-11-01", "America/New_York", "2026-11-02T04:59:59Z"},
		{"the last day of the year, far east", "2026-12-31", "Pacific/Kiritimati", "2026-12-31T09:59:59Z"},
		{"a leap day, far west", "2028-02-29", "Pacific/Pago_Pago", "2028-03-01T10:59:59Z"},
		{"half an hour", "2026-07-15", "Asia/Kolkata", "2026-07-15T18:29:59Z"},
		{"clocks go back at midnight: the second 23:59:59", "2018-02-17", "America/Sao_Paulo", "2018-02-18T02:59:59Z"},
		{"clocks go forward at midnight", "2018-11-03", "America/Sao_Paulo", "2018-11-04T02:59:59Z"},
		{"clocks go forward over 23:59:59", "2024-03-30", "America/Nuuk", "2024-03-31T00:59:59Z"},
		{"a day that the zone left out", "2011-12-30", "Pacific/Apia", "2011-12-30T09:59:59Z"},
		{"the day before it", "2011-12-29", "Pacific/Apia", "2011-12-30T09:59:59Z"},
		{"the day after it", "2011-12-31", "Pacific/Apia", "2011-12-31T09:59:59Z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := events.TaskData{DueDate: tt.date, Timezone: tt.zone}
			for range 2 { // the second time from the cache of zones
				got, ok, err := d.DueInstant()
				if err != nil || !ok || got.Format(time.RFC3339Nano) != tt.want {
					t.Errorf("DueInstant() of %s in %s = %s, %v, %v, want %s", tt.date, tt.zone, got.Format(time.RFC3339Nano), ok, err, tt.want)
				}
			}
		})
	}
}

func TestDueInstantIsLastSecondOfDayInUnusualZones(t *testing.T) {
	for _, zone := range []string{"Africa/Casablanca", "America/Havana", "America/Nuuk", "America/Scoresbysund", "America/St_Johns",
		"Antarctica/Troll", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Chatham"} {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for day := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2030; day = day.AddDate(0, 0, 1) {
			date := day.Format(time.DateOnly)
			got, _, err := events.TaskData{DueDate: date, Timezone: zone}.DueInstant()
			last, next := got.In(loc).Format(time.DateOnly), got.Add(time.Second).In(loc).Format(time.DateOnly)
			if err != nil || last != date || next == date {
				t.Fatalf("DueInstant() of %s in %s = %v, %v: it is on %s and the next second on %s", date, zone, got, err, last, next)
			}
		}
	}
}

func TestDueInstantWithAndWithoutDueAt(t *testing.T) {
	at := time.Date(2026, 11, 9, 9, 0, 0, 0, time.FixedZone("CET", 3600))
	got, ok, err := events.TaskData{DueAt: &at}.DueInstant()
	if err != nil || !ok || got != at.UTC() {
		t.Errorf("DueInstant() of due_at = %v, %v, %v, want %v", got, ok, err, at.UTC())
	}
	got, ok, err = events.TaskData{Timezone: "UTC"}.DueInstant()
	if err != nil || ok || !got.IsZero() {
		t.Errorf("DueInstant() without due date = %v, %v, %v, want no instant and no error", got, ok, err)
	}
}

func TestDueInstantNamesTheField(t *testing.T) {
	_, ok, err := events.TaskData{DueDate: "2026-02-30", Timezone: "UTC"}.DueInstant()
	checkField(t, "DueInstant()", err, "due_date")
	_, ok2, err := events.TaskData{DueDate: "2026-02-28", Timezone: "Nowhere"}.DueInstant()
	checkField(t, "DueInstant()", err, "timezone")
	if ok || ok2 {
		t.Error("DueInstant() with an error reports that there is an instant")
	}
}
