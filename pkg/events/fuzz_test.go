package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

// fuzzDecoder checks the promises of a decoder for any input. It does not panic. An error names a field or is ErrUnknownType.
// A decoded event can be encoded, and decoding that again gives the same event.
func fuzzDecoder[E encoder](f *testing.F, kind string, decode func([]byte) (E, error)) {
	for _, dir := range []string{currentDir, originalDir, upcastDir} {
		files, err := filepath.Glob(filepath.Join(dir, kind+".*json"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			f.Add(readGolden(f, file))
		}
	}
	f.Add([]byte(`{"event_type":"delegated","event_id":"` + eventID + `","task_id":"` + taskID + `","user_id":"` + userID + `","timestamp":"2026-11-03T09:30:15Z"}`))
	f.Add([]byte(`{"schema_version":2,"task_data":[],"TASK_ID":1,"timestamp":"0000-00-00"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := decode(data)
		if err != nil {
			var invalid *events.ValidationError
			if errors.As(err, &invalid) {
				if invalid.Field == "" || invalid.Reason == "" {
					t.Fatalf("decode(%q) = %#v, want an error that names a field and a reason", data, err)
				}
			} else if !errors.Is(err, events.ErrUnknownType) {
				t.Fatalf("decode(%q) = %v, want a *ValidationError or ErrUnknownType", data, err)
			}
			return
		}
		if len(data) > events.MaxEventBytes/2 {
			return // it may be too long for Encode
		}
		first := mustEncode(t, e)
		if !json.Valid(first) || bytes.Contains(first, []byte(`"tags":null`)) {
			t.Fatalf("Encode of decode(%q) = %s", data, first)
		}
		again, err := decode(first)
		if err != nil {
			t.Fatalf("decode(%s) = %v, after decode(%q) was fine", first, err, data)
		}
		if !reflect.DeepEqual(again, e) {
			t.Fatalf("decode(%q) = %+v\nbut encoded and decoded again it is %+v", data, e, again)
		}
		if second := mustEncode(t, again); !bytes.Equal(first, second) {
			t.Fatalf("decode(%q) encodes to\n%s\nand then to\n%s", data, first, second)
		}
	})
}

func FuzzDecodeTaskEvent(f *testing.F) { fuzzDecoder(f, "task-event", events.DecodeTaskEvent) }

func FuzzDecodeTaskUpdateEvent(f *testing.F) {
	fuzzDecoder(f, "task-update-event", events.DecodeTaskUpdateEvent)
}

func FuzzDecodeReminderEvent(f *testing.F) {
	fuzzDecoder(f, "reminder-event", events.DecodeReminderEvent)
}

func FuzzDecodeNotificationEvent(f *testing.F) {
	fuzzDecoder(f, "notification-event", events.DecodeNotificationEvent)
}

func FuzzDecodeAccountEvent(f *testing.F) { fuzzDecoder(f, "account-event", events.DecodeAccountEvent) }

func FuzzDecodeSessionUpdateEvent(f *testing.F) {
	fuzzDecoder(f, "session-update-event", events.DecodeSessionUpdateEvent)
}

func FuzzDecodeDeadLetter(f *testing.F) { fuzzDecoder(f, "dead-letter", events.DecodeDeadLetter) }

// FuzzDueInstant checks that a valid task with a due date has a due instant near that date.
func FuzzDueInstant(f *testing.F) {
	f.Add("2026-11-09", "Europe/Berlin")
	f.Add("2011-12-30", "Pacific/Apia")
	f.Add("9999-12-31", "America/Nuuk")
	f.Fuzz(func(t *testing.T, date, zone string) {
		e := sampleTaskEvent(events.Restored)
		e.TaskData.DueDate, e.TaskData.Timezone = date, zone
		if e.Validate() != nil || date == "" {
			return
		}
		at, ok, err := e.TaskData.DueInstant()
		if err != nil || !ok || at.IsZero() {
			t.Fatalf("DueInstant() of %q in %q = %v, %v, %v", date, zone, at, ok, err)
		}
		day, err := time.Parse(time.DateOnly, date)
		if off := at.Sub(day); err != nil || off < -24*time.Hour || off > 48*time.Hour {
			t.Fatalf("DueInstant() of %q in %q = %v, %v away", date, zone, at, off)
		}
	})
}
