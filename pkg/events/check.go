package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// checker keeps the first broken rule. Its methods do nothing after that, so a list of calls reads as a list of rules.
type checker struct {
	prefix string // prepended to field names, for example "task_data."
	err    *ValidationError
}

// result returns the broken rule as an error, or nil.
func (c *checker) result() error {
	if c.err == nil {
		return nil
	}
	return c.err
}

func (c *checker) fail(field, reason string) {
	if c.err == nil {
		c.err = &ValidationError{Field: c.prefix + field, Reason: reason}
	}
}

func (c *checker) must(ok bool, field, reason string) {
	if !ok {
		c.fail(field, reason)
	}
}

const reasonMissing = "is missing"

// id requires a UUID in canonical form, because ids are compared as text.
func (c *checker) id(field, s string) {
	switch {
	case s == "":
		c.fail(field, reasonMissing)
	case !isUUID(s):
		c.fail(field, "is not a UUID in RFC 4122 form")
	case s != strings.ToLower(s):
		c.fail(field, "is not in lower case")
	case s == nilUUID:
		c.fail(field, "is the nil UUID, which names nothing")
	}
}

// optionalID is like id, but the field may be empty.
func (c *checker) optionalID(field, s string) {
	if s != "" {
		c.id(field, s)
	}
}

// text requires lo to hi characters of valid UTF-8 without NUL, which Postgres cannot store.
func (c *checker) text(field, s string, lo, hi int) {
	switch {
	case s == "" && lo > 0:
		c.fail(field, reasonMissing)
	case !utf8.ValidString(s):
		c.fail(field, "is not valid UTF-8")
	case strings.IndexByte(s, 0) >= 0:
		c.fail(field, "has a NUL character")
	case len(s) > hi && utf8.RuneCountInString(s) > hi:
		c.fail(field, "has more than "+strconv.Itoa(hi)+" characters")
	}
}

// time requires an instant that is not zero and that RFC 3339 can express in UTC.
func (c *checker) time(field string, t time.Time) {
	if t.IsZero() {
		c.fail(field, reasonMissing)
		return
	}
	y := t.UTC().Year()
	c.must(y >= 1 && y <= 9999, field, "is outside the years 1 to 9999")
}

// optionalTime is like time, but the field may be absent.
func (c *checker) optionalTime(field string, t *time.Time) {
	if t != nil {
		c.time(field, *t)
	}
}

// optionalDate requires a day as YYYY-MM-DD, but the field may be empty.
func (c *checker) optionalDate(field, s string) {
	if s == "" {
		return
	}
	_, ok := parseDate(s)
	c.must(ok, field, reasonDate)
}

func (c *checker) zone(field, name string) {
	if name == "" {
		c.fail(field, reasonMissing)
	} else if _, err := LoadZone(name); err != nil {
		c.fail(field, "is not an IANA time zone")
	}
}

// number requires a value of at least lo.
func (c *checker) number(field string, n, lo int64) {
	switch {
	case n == 0 && lo > 0:
		c.fail(field, reasonMissing)
	case n < lo:
		c.fail(field, "is less than "+strconv.FormatInt(lo, 10))
	}
}

func (c *checker) finite(field string, f float64) {
	c.must(!math.IsNaN(f) && !math.IsInf(f, 0), field, "is not a finite number")
}

// oneOf requires one of the allowed values.
func oneOf[S ~string](c *checker, field string, s S, allowed []S) {
	if s == "" {
		c.fail(field, reasonMissing)
		return
	}
	for _, a := range allowed {
		if s == a {
			return
		}
	}
	c.fail(field, fmt.Sprintf("is not one of %s", joined(allowed)))
}

func joined[S ~string](list []S) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

const nilUUID = "00000000-0000-0000-0000-000000000000"

// isUUID reports whether s is a UUID as in RFC 4122, in upper or lower case. Any version is accepted: event ids have version 7,
// and ids that are derived from other ids have version 5.
func isUUID(s string) bool {
	if len(s) != len(nilUUID) {
		return false
	}
	for i := range len(s) {
		b := s[i]
		switch {
		case nilUUID[i] == '-':
			if b != '-' {
				return false
			}
		case b >= '0' && b <= '9', b >= 'a' && b <= 'f', b >= 'A' && b <= 'F':
		default:
			return false
		}
	}
	return true
}

// Reasons of cleanJSON. They become the Reason of a ValidationError.
var (
	errNotJSON = errors.New("is not JSON")
	errNUL     = errors.New("has a NUL character")
)

// cleanJSON returns raw as compact JSON that Postgres can store: without NUL and without unpaired surrogates. Empty input
// becomes null. Numbers keep all their digits.
func cleanJSON(raw json.RawMessage) (json.RawMessage, error) {
	if len(raw) == 0 {
		return json.RawMessage("null"), nil
	}
	if !utf8.Valid(raw) || !json.Valid(raw) {
		return nil, errNotJSON
	}
	if bytes.Contains(raw, []byte(`\u`)) {
		return recode(raw)
	}
	if bytes.ContainsAny(raw, " \t\r\n") {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err != nil {
			return nil, err
		}
		return b.Bytes(), nil
	}
	return raw, nil
}

// recode decodes and encodes raw. This replaces an unpaired surrogate with U+FFFD, as in every other string.
func recode(raw json.RawMessage) (json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, errNotJSON
	}
	if hasNUL(v) {
		return nil, errNUL
	}
	return marshal(v)
}

func hasNUL(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.IndexByte(v, 0) >= 0
	case []any:
		for _, e := range v {
			if hasNUL(e) {
				return true
			}
		}
	case map[string]any:
		for k, e := range v {
			if strings.IndexByte(k, 0) >= 0 || hasNUL(e) {
				return true
			}
		}
	}
	return false
}
