package exchange

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/platform/httpx"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// This file reads JSON in which other programs, and people, have written values of the wrong type.

// readObject reads a JSON object. Bytes that are not UTF-8 and halves of surrogate pairs become �; broken has the members with one.
func readObject(raw []byte) (members map[string]json.RawMessage, broken []string, err error) {
	repaired := repair(raw)
	if err := httpx.UnmarshalStrict(repaired, &members); err != nil {
		return nil, nil, err
	}
	if !bytes.Equal(repaired, raw) {
		for _, name := range sorted(members) {
			if bytes.ContainsRune(members[name], utf8.RuneError) {
				broken = append(broken, name)
			}
		}
	}
	return members, broken, nil
}

func repair(raw []byte) []byte {
	if !utf8.Valid(raw) {
		raw = []byte(string([]rune(string(raw))))
	}
	if !bytes.Contains(raw, []byte(`\u`)) {
		return raw
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' || i+1 == len(raw) {
			out, i = append(out, raw[i]), i+1
			continue
		}
		n := 2
		switch first := surrogate(raw[i:]); {
		case first == 0:
		case first < 0xdc00 && surrogate(raw[i+len(`\ud800`):]) >= 0xdc00:
			n = len(`\ud800\udc00`)
		default:
			out, i = utf8.AppendRune(out, utf8.RuneError), i+len(`\ud800`)
			continue
		}
		out, i = append(out, raw[i:i+n]...), i+n
	}
	return out
}

// surrogate returns the half of a surrogate pair that is escaped at the beginning of raw, or 0.
func surrogate(raw []byte) uint64 {
	if len(raw) < len(`\ud800`) || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	if n, err := strconv.ParseUint(string(raw[2:6]), 16, 16); err == nil && n >= 0xd800 && n < 0xe000 {
		return n
	}
	return 0
}

// textOf returns a JSON value as text: a text itself, a list with commas, and another value as it is written.
func textOf(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		texts := make([]string, len(list))
		for i, one := range list {
			texts[i] = textOf(one)
		}
		return strings.Join(texts, ", ")
	}
	return string(raw)
}

// longEpoch is the smallest number that is read as seconds since 1970: a number with fewer digits is a date like 20300131.
const longEpoch = 100_000_000

// readTime reads an instant in the forms of Taskwarrior and of ISO 8601, or as seconds since 1970. A time without a zone is in zone.
// day reports that the text has no time of day.
func readTime(text string, zone *time.Location) (at time.Time, day, ok bool) {
	text = strings.TrimSpace(text)
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= longEpoch && n < 1e11 {
		return time.Unix(int64(n), 0).UTC(), false, true
	}
	for _, layout := range []string{icsStamp, time.RFC3339Nano, "20060102T150405Z07:00", "20060102T150405-0700"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, false, true
		}
	}
	for _, layout := range []string{"20060102T150405", "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if wall, err := time.Parse(layout, text); err == nil {
			return atWall(wall, zone), false, true
		}
	}
	for _, layout := range []string{time.DateOnly, "20060102"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, true, true
		}
	}
	return time.Time{}, false, false
}

// atWall returns the instant at which the wall-clock time in zone is wall, also where the clocks change (see recurrence.AtClock).
func atWall(wall time.Time, zone *time.Location) time.Time {
	noon := time.Date(wall.Year(), wall.Month(), wall.Day(), 12, 0, 0, 0, zone)
	return recurrence.AtClock(noon, recurrence.Clock(wall, time.UTC), zone)
}
