package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestAReservedPortRefusesClientsAndListeners(t *testing.T) {
	s := NewSet()
	defer s.ReleaseAll()
	port, err := s.Free()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", Loopback(port)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect to a reserved port: got %v, want connection refused", err)
	}
	if !Taken(port) {
		t.Error("a reserved port does not count as taken")
	}
	if err := NewSet().Reserve(port); !errors.Is(err, ErrTaken) {
		t.Errorf("reserve it again: got %v, want ErrTaken", err)
	}
	s.Release(port)
	l, err := net.Listen("tcp", Loopback(port))
	if err != nil {
		t.Fatalf("listen on a released port: %v", err)
	}
	defer l.Close()
	if !Taken(port) {
		t.Error("a port that is listened on does not count as taken")
	}
}

func TestAChosenPortStaysChosenWhileItsProcessRestarts(t *testing.T) {
	s, other := NewSet(), NewSet()
	defer s.ReleaseAll()
	defer other.ReleaseAll()
	port, err := s.Free()
	if err != nil {
		t.Fatal(err)
	}
	s.Release(port)
	for _, when := range []string{"before its process", "between two runs of its process"} {
		if err := other.choose(port); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: another set chooses it: got %v, want ErrTaken", when, err)
		}
		if err := s.choose(port); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: the same set chooses it: got %v, want ErrTaken", when, err)
		}
		l, err := net.Listen("tcp", Loopback(port))
		if err != nil {
			t.Fatalf("%s: listen: %v", when, err)
		}
		l.Close()
	}
	s.ReleaseAll()
	if err := other.choose(port); err != nil {
		t.Errorf("after ReleaseAll: got %v, want it free", err)
	}
}

func TestAPortThatCannotBeReservedIsNotClaimed(t *testing.T) {
	l := listenAside(t)
	port := l.Addr().(*net.TCPAddr).Port
	s := NewSet()
	defer s.ReleaseAll()
	if err := s.choose(port); !errors.Is(err, ErrTaken) {
		t.Errorf("a port that is listened on: got %v, want ErrTaken", err)
	}
	l.Close()
	if err := s.choose(port); err != nil {
		t.Errorf("after its listener is gone: got %v, want it free", err)
	}
}

// listenAside listens on a port that neither the system nor Free chooses, so nothing takes it after it is closed.
func listenAside(t *testing.T) net.Listener {
	t.Helper()
	for range attempts {
		if l, err := net.Listen("tcp", Loopback(lowest-1-rand.IntN(attempts))); err == nil {
			t.Cleanup(func() { l.Close() })
			return l
		}
	}
	t.Fatal("no free port")
	return nil
}

func TestAPortTakenOnAnyAddressIsTaken(t *testing.T) {
	for _, addr := range []string{":0", "127.0.0.1:0", "[::1]:0"} {
		if strings.HasPrefix(addr, "[") && !HasIPv6() {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if port := l.Addr().(*net.TCPAddr).Port; !Taken(port) {
			t.Errorf("port taken on %s: got free", addr)
		}
		l.Close()
	}
}

func TestChosenPortsAreOutsideTheEphemeralRange(t *testing.T) {
	s := NewSet()
	defer s.ReleaseAll()
	seen := map[int]bool{}
	for range 50 {
		port, err := s.Free()
		if err != nil {
			t.Fatal(err)
		}
		if seen[port] || port < lowest || port >= fallbackHighest {
			t.Errorf("port %d: chosen before, or outside %d–%d", port, lowest, fallbackHighest)
		}
		seen[port] = true
	}
}

func TestTheHolderOfAPortIsNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs lsof elsewhere")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := Holder(l.Addr().(*net.TCPAddr).Port)
	if want := fmt.Sprintf("(pid %d)", os.Getpid()); !strings.Contains(got, want) {
		t.Errorf("Holder: got %q, want it to have %q", got, want)
	}
}

func TestAPortWithConnectionsInTimeWaitIsFree(t *testing.T) {
	l := listenAside(t)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server.Close() // the side that closes first keeps the connection in TIME_WAIT
	if _, err := client.Read(make([]byte, 1)); err == nil {
		t.Fatal("read from a closed connection: got nil")
	}
	client.Close()
	l.Close()
	if port := l.Addr().(*net.TCPAddr).Port; Taken(port) {
		t.Errorf("port %d counts as taken", port)
	}
}
