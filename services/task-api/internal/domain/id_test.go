package domain

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestAClientsIDIsAUUIDOfVersion7(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 9, 30, 0, 0, time.UTC)
	of := func(at time.Time) string {
		id := uuid.MustParse("00000000-0000-7abc-8def-0123456789ab")
		var ms [8]byte
		binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
		copy(id[:6], ms[2:])
		return id.String()
	}
	first := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, id := range []string{of(now), of(first), of(now.Add(MaxIDAhead)), strings.ToUpper(of(now))} {
		if got, err := NewID(id, now); err != nil || got != strings.ToLower(id) {
			t.Errorf("NewID(%s): got %s, %v, want it in lower case", id, got, err)
		}
	}
	for _, id := range []string{
		"", "7", of(first.Add(-time.Millisecond)), of(now.Add(MaxIDAhead + time.Millisecond)), uuid.NewString(), uuid.Nil.String(), uuid.Max.String(),
		"{" + of(now) + "}", "urn:uuid:" + of(now), strings.ReplaceAll(of(now), "-", ""), strings.Replace(of(now), "-8def", "-cdef", 1),
	} {
		if got, err := NewID(id, now); err == nil {
			t.Errorf("NewID(%s): got %s, want it refused", id, got)
		}
	}
}
