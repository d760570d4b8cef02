package events_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/taskwire/taskwire/pkg/events"
)

func TestDeadLetterKeepsAnyOriginal(t *testing.T) {
	for _, original := range []string{`{"a":9007199254740993}`, `null`, `"cGxhaW4="`, `"a string"`, `{"a":"<&>\u0000\ud800"}`, "", "no JSON", "\xff\xfe", "{\"a\":\"\xff\"}", `{"a":1`} {
		data := mustEncode(t, sampleDeadLetter(original))
		d, err := events.DecodeDeadLetter(data)
		if err != nil {
			t.Errorf("DecodeDeadLetter(%s) = %v", data, err)
			continue
		}
		got, err := d.Payload()
		if err != nil || string(got) != original {
			t.Errorf("Payload() of %s = %q, %v, want %q", data, got, err, original)
		}
	}
}

func TestDeadLetterCutsLongAndInvalidTexts(t *testing.T) {
	d := sampleDeadLetter(`{}`)
	d.EventID, d.Reason = strings.Repeat("\xff", 1000), strings.Repeat("ß\x00", 5000)
	got, err := events.DecodeDeadLetter(mustEncode(t, d))
	if err != nil || len([]rune(got.Reason)) != events.MaxReason || len([]rune(got.EventID)) > events.MaxName {
		t.Errorf("DecodeDeadLetter(Encode()) = %d and %d characters, %v, want them cut", len([]rune(got.Reason)), len([]rune(got.EventID)), err)
	}
	d.EventID, d.Reason = "", ""
	if got, err := events.DecodeDeadLetter(mustEncode(t, d)); err != nil || got.Reason == "" {
		t.Errorf("DecodeDeadLetter(Encode()) = %+v, %v, want some reason", got, err)
	}
}

func TestDeadLetterRules(t *testing.T) {
	type letter = events.DeadLetter
	tests := []struct {
		name  string
		edit  func(*letter)
		field string
	}{
		{"no topic", func(d *letter) { d.Topic = "" }, "topic"},
		{"no consumer", func(d *letter) { d.Consumer = "" }, "consumer"},
		{"no time", func(d *letter) { d.FailedAt = time.Time{} }, "failed_at"},
		{"another encoding", func(d *letter) { d.OriginalEncoding = "gzip" }, "original_encoding"},
		{"invalid base64", func(d *letter) { d.Original, d.OriginalEncoding = json.RawMessage(`"?"`), "base64" }, "original"},
		{"base64 that is not a string", func(d *letter) { d.OriginalEncoding = "base64" }, "original"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sampleDeadLetter(`{}`)
			tt.edit(&d)
			_, err := d.Encode()
			checkField(t, "Encode()", err, tt.field)
		})
	}
	for field, value := range map[string]any{"original": nil, "failed_at": "now", "topic": 5, "reason": nil} {
		doc := edited(t, currentDir+"/dead-letter.json.json", map[string]any{field: value})
		_, err := events.DecodeDeadLetter(doc)
		checkField(t, "DecodeDeadLetter("+string(doc)+")", err, field)
	}
}
