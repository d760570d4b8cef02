package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/taskwire/taskwire/local/procid"
)

// helperEnv makes the test binary a supervisor that a test kills.
const helperEnv = "TASKWIRE_TEST_SUPERVISOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperEnv); dir != "" {
		superviseIn(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// sh is a part that runs a shell script.
func sh(name, script string) Spec {
	return Spec{Name: name, Grace: 5 * time.Second, Command: func() (Command, error) {
		return Command{Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ()}, nil
	}}
}

type journal struct {
	mu     sync.Mutex
	events []Event
}

func (j *journal) note(e Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

func (j *journal) kinds(part string) (kinds []Kind) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.events {
		if e.Part == part {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func newSupervisor(t *testing.T, specs ...Spec) (*Supervisor, *journal) {
	t.Helper()
	j := &journal{}
	s := New(Config{Event: j.note})
	t.Cleanup(func() { s.Hurry(); s.Close() })
	for _, spec := range specs {
		s.Add(spec)
	}
	return s, j
}

func start(t *testing.T, s *Supervisor, name string) *Part {
	t.Helper()
	p, err := s.Part(name)
	if err != nil {
		t.Fatal(err)
	}
	p.Start()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.WaitReady(ctx, name); err != nil {
		t.Fatal(err)
	}
	return p
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen within 20 s: %s", what)
		}
	}
}

func TestAPartThatDiesIsStartedAgain(t *testing.T) {
	s, j := newSupervisor(t, sh("a", "exec sleep 60"))
	p := start(t, s, "a")
	first := p.Status()
	if err := p.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new process that is ready", func() bool {
		now := p.Status()
		return now.Ready && now.ID.PID != first.ID.PID
	})
	if got := p.Status().Restarts; got != 1 {
		t.Errorf("restarts: got %d, want 1", got)
	}
	s.Stop("a")
	want := []Kind{Started, Ready, Died, Started, Ready, Stopped}
	if got := j.kinds("a"); !slices.Equal(got, want) {
		t.Errorf("events: got %v, want %v", got, want)
	}
	if got := p.Status(); got.ID.PID != 0 || got.Ready {
		t.Errorf("status after Stop: got %+v, want no process", got)
	}
	p.Start()
	eventually(t, "it starts again after a stop", func() bool { return p.Status().Ready })
}

func TestTheDelayDoublesUpToItsBound(t *testing.T) {
	var got []time.Duration
	for n := 1; n <= 7; n++ {
		got = append(got, Delay(n))
	}
	ms := time.Millisecond
	want := []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms}
	if !slices.Equal(got, want) {
		t.Errorf("Delay(1…7): got %v, want %v", got, want)
	}
	if got := Delay(1 << 20); got != maxDelay {
		t.Errorf("Delay(1<<20): got %s, want %s", got, maxDelay)
	}
}

func TestAStableRunForgetsEarlierDeaths(t *testing.T) {
	delays := func(stable time.Duration) (got []time.Duration) {
		s, j := newSupervisor(t, sh("a", "exit 3"))
		s.stableAfter = stable
		p, _ := s.Part("a")
		p.Start()
		eventually(t, "two deaths", func() bool { return p.Status().Restarts >= 2 })
		p.Stop()
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, e := range j.events {
			if e.Kind == Died {
				got = append(got, e.Delay)
			}
		}
		return got[:2]
	}
	if got := delays(time.Hour); got[1] != 2*got[0] {
		t.Errorf("delays of a part that is not stable: got %v, want doubled", got)
	}
	if got := delays(0); got[1] != got[0] {
		t.Errorf("delays of a stable part: got %v, want the same", got)
	}
}

func TestStopAsksAndThenKillsTheWholeTree(t *testing.T) {
	stubborn := sh("stubborn", "trap '' TERM; sleep 60 & echo child $!; while :; do wait; done")
	stubborn.Grace = 50 * time.Millisecond
	child := make(chan int, 1)
	stubborn.Lines = func(line []byte) {
		var pid int
		if _, err := fmt.Sscanf(string(line), "child %d", &pid); err == nil {
			child <- pid
		}
	}
	dir := t.TempDir()
	polite := sh("polite", "trap 'echo bye >"+dir+"/bye; exit 0' TERM; echo > "+dir+"/up; while :; do sleep 0.05; done")
	polite.Ready = func(context.Context) error { _, err := os.Stat(dir + "/up"); return err }
	s, j := newSupervisor(t, polite, stubborn)
	start(t, s, "polite")
	start(t, s, "stubborn")
	id, err := procid.Of(<-child)
	if err != nil {
		t.Fatal(err)
	}
	s.Stop("polite", "stubborn")
	if _, err := os.Stat(dir + "/bye"); err != nil {
		t.Errorf("the polite part was not asked: %v", err)
	}
	if got := j.kinds("polite"); got[len(got)-1] != Stopped {
		t.Errorf("polite: got %v, want Stopped at the end", got)
	}
	if got := j.kinds("stubborn"); got[len(got)-1] != Killed {
		t.Errorf("stubborn: got %v, want Killed at the end", got)
	}
	eventually(t, "the stubborn part's child has ended", func() bool { return !id.Running() })
}

func TestHurryKillsWithoutWaitingForTheGrace(t *testing.T) {
	spec := sh("stubborn", "trap '' TERM; while :; do sleep 0.1; done")
	spec.Grace = time.Hour
	s, _ := newSupervisor(t, spec)
	p := start(t, s, "stubborn")
	stopped := make(chan struct{})
	go func() { p.Stop(); close(stopped) }()
	s.Hurry()
	select {
	case <-stopped:
	case <-time.After(20 * time.Second):
		t.Fatal("Stop still waits after Hurry")
	}
}

func TestTheRestOfAPartsGroupEndsWithIt(t *testing.T) {
	pid := make(chan int, 10)
	spec := sh("a", "sleep 60 & echo $!; exit 1")
	spec.Lines = func(line []byte) {
		var n int
		if _, err := fmt.Sscan(string(line), &n); err == nil {
			pid <- n
		}
	}
	s, _ := newSupervisor(t, spec)
	p, _ := s.Part("a")
	p.Start()
	id := procid.ID{PID: <-pid}
	eventually(t, "the child of a dead part has ended", func() bool {
		now, err := procid.Of(id.PID)
		return err != nil || !now.Running()
	})
}

func TestAProcessThatIsNotRecordedNeverRuns(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	var mu sync.Mutex
	broken := true
	s := New(Config{Record: func(all []Status) error {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			return errors.New("disk full")
		}
		return nil
	}})
	defer s.Close()
	p := s.Add(sh("a", "echo > "+mark+"; exec sleep 60"))
	p.Start()
	eventually(t, "two attempts", func() bool { return p.Status().Restarts >= 2 })
	if _, err := os.Stat(mark); err == nil {
		t.Error("the program ran without a record of its process")
	}
	mu.Lock()
	broken = false
	mu.Unlock()
	eventually(t, "it runs once it can be recorded", func() bool { _, err := os.Stat(mark); return err == nil })
}

func TestAPartThatKeepsDyingShowsItsLastLines(t *testing.T) {
	s, _ := newSupervisor(t, func() Spec {
		spec := sh("a", "echo cannot open the door; exit 7")
		spec.Ready = func(context.Context) error { return errors.New("not yet") }
		return spec
	}())
	p, _ := s.Part("a")
	p.Start()
	err := s.WaitReady(t.Context(), "a")
	var died *DiedError
	if !errors.As(err, &died) || died.Part != "a" || !slices.Contains(died.Lines, "cannot open the door") || !strings.Contains(err.Error(), "exit code 7") {
		t.Errorf("WaitReady: got %v (%+v)", err, died)
	}
}

func TestAMissingProgramIsAnErrorThatNamesIt(t *testing.T) {
	s, _ := newSupervisor(t, Spec{Name: "a", Command: func() (Command, error) { return Command{Path: "/no/such/program"}, nil }})
	p, _ := s.Part("a")
	p.Start()
	if err := s.WaitReady(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("WaitReady: got %v", err)
	}
}

func TestWaitReadyNamesWhatIsNotReady(t *testing.T) {
	spec := sh("slow", "exec sleep 60")
	spec.Ready = func(context.Context) error { return errors.New("not yet") }
	s, _ := newSupervisor(t, sh("quick", "exec sleep 60"), spec)
	start(t, s, "quick")
	p, _ := s.Part("slow")
	p.Start()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := s.WaitReady(ctx, "quick", "slow")
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "[slow]") {
		t.Errorf("WaitReady: got %v, want a deadline that names slow alone", err)
	}
}

func TestOutputArrivesInLinesAndLongOnesAreCut(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	spec := sh("a", `printf 'one\ntwo\r\n'; head -c 100000 /dev/zero | tr '\0' x; echo; printf end; exec sleep 60`)
	spec.Lines = func(line []byte) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, string(line))
	}
	s, _ := newSupervisor(t, spec)
	start(t, s, "a")
	eventually(t, "the lines", func() bool { mu.Lock(); defer mu.Unlock(); return len(lines) >= 4 })
	s.Stop("a")
	mu.Lock()
	defer mu.Unlock()
	if len(lines) != 5 || lines[0] != "one" || lines[1] != "two" || len(lines[2])+len(lines[3]) != 100000 || lines[4] != "end" {
		t.Errorf("got %d lines: %.20q", len(lines), lines)
	}
}

// TestAnOlderRecordNeverReplacesANewerOne: an older record that is being written must not replace it.
func TestAnOlderRecordNeverReplacesANewerOne(t *testing.T) {
	var known atomic.Int64
	var written int64 // by the recording function alone, which runs once at a time
	entered, slow := make(chan struct{}), make(chan struct{})
	first := true
	s := New(Config{Record: func([]Status) error {
		now := known.Load()
		if first {
			first = false
			close(entered)
			<-slow
		}
		written = now
		return nil
	}})
	t.Cleanup(s.Close)
	ended := make(chan error, 1)
	go func() { ended <- s.Save() }()
	<-entered
	known.Store(1)
	time.AfterFunc(20*time.Millisecond, func() { close(slow) })
	if err := errors.Join(s.Save(), <-ended); err != nil {
		t.Fatal(err)
	}
	if written != 1 {
		t.Errorf("the record holds %d, want 1: an older one was written last", written)
	}
}
