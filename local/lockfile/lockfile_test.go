package lockfile

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// holdEnv makes the test binary a process that takes the lock it names and keeps it until it is killed.
const holdEnv = "TASKWIRE_TEST_LOCK"

func TestMain(m *testing.M) {
	path := os.Getenv(holdEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	if _, err := Take(path, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("held")
	select {}
}

func TestASecondTakeNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := Take(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Take(path, 0o600)
	var held *HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() {
		t.Errorf("second Take: got %v, want a HeldError with pid %d", err, os.Getpid())
	}
	if pid, err := Holder(path); err != nil || pid != os.Getpid() {
		t.Errorf("Holder: got %d, %v, want %d", pid, err, os.Getpid())
	}
	for range 2 {
		if err := lock.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if pid, err := Holder(path); err != nil || pid != 0 {
		t.Errorf("Holder after Release: got %d, %v, want 0", pid, err)
	}
}

func TestAKilledProcessFreesItsLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := exec.Command(os.Args[0])
	holder.Env = append(os.Environ(), holdEnv+"="+path)
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Process.Kill() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatalf("the holder ended before it had the lock: %v", err)
	}
	var held *HeldError
	if _, err := Take(path, 0o600); !errors.As(err, &held) || held.PID != holder.Process.Pid {
		t.Fatalf("Take: got %v, want a HeldError with pid %d", err, holder.Process.Pid)
	}
	busy := make(chan struct{})
	taken := make(chan error, 1)
	go func() {
		lock, err := Wait(t.Context(), path, 0o600, func() { close(busy) })
		if err == nil {
			err = lock.Release()
		}
		taken <- err
	}()
	<-busy
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = holder.Wait()
	if err := <-taken; err != nil {
		t.Errorf("Wait after the holder was killed: got %v, want the lock", err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := Take(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Wait(ctx, path, 0o600, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: got %v, want context.Canceled", err)
	}
}

func TestAMissingFileHasNoHolder(t *testing.T) {
	if pid, err := Holder(filepath.Join(t.TempDir(), "lock")); err != nil || pid != 0 {
		t.Errorf("Holder: got %d, %v, want 0", pid, err)
	}
}
