package client

import (
	"errors"
	"strings"
	"testing"
)

// TestCheckAuditTellsMissingFromAnotherOrder checks a user with one task of three versions.
func TestCheckAuditTellsMissingFromAnotherOrder(t *testing.T) {
	t.Parallel()
	h := NewHistory()
	for v := range int64(3) {
		h.Answered("t", v+1)
	}
	entry := func(id string, version int64) AuditEntry {
		return AuditEntry{EventID: id, TaskID: "t", TaskVersion: version, Seq: version}
	}
	first, second, third := entry("1", 1), entry("2", 2), entry("3", 3)
	for name, tc := range map[string]struct {
		log   []AuditEntry
		want  string // part of the error, "" for none
		final bool
	}{
		"complete":                        {[]AuditEntry{first, second, third}, "", false},
		"the last is not there yet":       {[]AuditEntry{first, second}, "version 3 was answered 2xx but the audit log ends at 2", false},
		"nothing is there yet":            {nil, "answered 2xx but the audit log ends at 0", false},
		"the first is not there yet":      {[]AuditEntry{second, third}, "version 1 is missing", false},
		"one between is not there yet":    {[]AuditEntry{first, third}, "version 2 is missing", false},
		"all are there, in another order": {[]AuditEntry{second, first, third}, "all 3 versions are in the audit log, but in another order: [2 1 3]", true},
		"another order, and the end lacks": {
			[]AuditEntry{second, first}, "all 2 versions are in the audit log, but in another order: [2 1]", true,
		},
		"an event twice":            {[]AuditEntry{first, second, second, third}, "event 2 is in the audit log twice", true},
		"a version with two events": {[]AuditEntry{first, second, entry("4", 2), third}, "version 2 is in the audit log twice", true},
	} {
		err := h.CheckAudit(tc.log, 3)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
		if _, final := errors.AsType[*final](err); final != tc.final {
			t.Errorf("%s: got %v, which is final: %v, want %v", name, err, final, tc.final)
		}
	}
}

// stopped records how Eventually ends a test.
type stopped struct {
	testing.TB
	said bool
}

func (s *stopped) Helper()               {}
func (s *stopped) Fatalf(string, ...any) { s.said = true; panic(s) }

func TestEventuallyFailsAtOnceForAFinalError(t *testing.T) {
	t.Parallel()
	checks := 0
	s := &stopped{TB: t}
	func() {
		defer func() { _ = recover() }() // of Fatalf, which ends a real test too
		Eventually(s, RecoveryTimeout, "an order", func() error {
			if checks++; checks == 1 {
				return errors.New("missing")
			}
			return errors.Join(errors.New("page 2"), Final(errors.New("another order")))
		})
	}()
	if !s.said || checks != 2 {
		t.Errorf("Eventually: failed %v after %d checks, want true after 2", s.said, checks)
	}
}
