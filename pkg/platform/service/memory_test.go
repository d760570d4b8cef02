package service

import (
	"log/slog"
	"runtime/debug"
	"testing"
)

func TestTheHeapMayGrowUnlessTheOperatorSaysHowFar(t *testing.T) {
	const given = 77
	for _, tc := range []struct {
		env  string
		want int
	}{{"", gcPercent}, {"77", given}} {
		t.Setenv("GOGC", tc.env)
		was := debug.SetGCPercent(given) // as the runtime does with the variable
		tuneMemory(slog.New(slog.DiscardHandler))
		if got := debug.SetGCPercent(was); got != tc.want {
			t.Errorf("GOGC=%q: got %d, want %d", tc.env, got, tc.want)
		}
	}
}

func TestALimitThatIsGivenStays(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "64MiB")
	was := debug.SetMemoryLimit(64 << 20)
	defer debug.SetMemoryLimit(was)
	tuneMemory(slog.New(slog.DiscardHandler))
	if got := debug.SetMemoryLimit(-1); got != 64<<20 {
		t.Errorf("got %d, want it as it was", got)
	}
}
