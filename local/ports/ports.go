// Package ports chooses free TCP ports of the loopback address and says who holds a taken one.
//
// Promises: a reserved port stays ours until Release, without anybody being able to connect to it (bound, not
// listening: a client is refused at once, as by a process that is not there yet); chosen ports lie outside the range
// that the system takes for outgoing connections, so that none of them can grab a part's port while it restarts; and no
// other set, of whatever process, chooses them again until ReleaseAll or the end of the process.
package ports

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
)

const (
	// lowest is above the ports that well-known services use.
	lowest = 15_000
	// fallbackHighest is below the range of outgoing connections on every system that does not tell it.
	fallbackHighest = 32_000
	// attempts bounds the search: the range has thousands of ports, nearly all free.
	attempts = 2_000
)

// ErrTaken is a port that another process holds.
var ErrTaken = errors.New("port is taken")

// Set is the reserved ports of one run. It is safe for several goroutines.
type Set struct {
	mu     sync.Mutex
	held   map[int][]int          // port → bound sockets
	claims map[int]net.PacketConn // chosen port → what tells other sets that it is ours
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{held: map[int][]int{}, claims: map[int]net.PacketConn{}} }

// Free chooses and reserves a free port.
func (s *Set) Free() (int, error) {
	low, high := freeRange()
	for range attempts {
		port := low + rand.IntN(high-low)
		switch err := s.choose(port); {
		case err == nil:
			return port, nil
		case !errors.Is(err, ErrTaken):
			return 0, err
		}
	}
	return 0, fmt.Errorf("no free port between %d and %d", low, high)
}

// choose reserves port and claims it. The claim is the UDP port of the same number, in which no part of ours has a use:
// it lasts while the TCP port is given up to a process that has yet to start or is being restarted, it is seen by exactly
// those that could take the TCP port, and it ends with its process, however that dies.
func (s *Set) choose(port int) error {
	claim, err := net.ListenPacket("udp4", Loopback(port)) //nolint:noctx // a bind does not wait
	if err != nil {
		return bindError(port, err)
	}
	if err := s.Reserve(port); err != nil {
		_ = claim.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[port] = claim
	return nil
}

// Reserve reserves the given port, on IPv4 and, where the machine has it, IPv6, so that "localhost" means us either
// way. ErrTaken if somebody holds it.
func (s *Set) Reserve(port int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.held[port]; ok {
		return fmt.Errorf("port %d: %w", port, ErrTaken)
	}
	v4, err := bind(syscall.AF_INET, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		return bindError(port, err)
	}
	fds := []int{v4}
	if HasIPv6() {
		v6, err := bind(syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}})
		if err != nil {
			syscall.Close(v4)
			return bindError(port, err)
		}
		fds = append(fds, v6)
	}
	s.held[port] = fds
	return nil
}

// Release gives ports up, right before the process that is to listen on them starts. Chosen ones are not chosen again,
// here or elsewhere: that process may restart. Unknown ones are skipped.
func (s *Set) Release(ports ...int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, port := range ports {
		for _, fd := range s.held[port] {
			syscall.Close(fd)
		}
		delete(s.held, port)
	}
}

// ReleaseAll gives up what is still held, and lets others choose what was chosen here: the processes have ended.
func (s *Set) ReleaseAll() {
	s.mu.Lock()
	var all []int
	for port := range s.held {
		all = append(all, port)
	}
	for _, claim := range s.claims {
		_ = claim.Close()
	}
	clear(s.claims)
	s.mu.Unlock()
	s.Release(all...)
}

// Taken says whether somebody listens on, or has bound, the port.
func Taken(port int) bool {
	s := NewSet()
	defer s.ReleaseAll()
	return errors.Is(s.Reserve(port), ErrTaken)
}

// HasIPv6 says whether the machine has the IPv6 loopback address.
var HasIPv6 = sync.OnceValue(func() bool {
	fd, err := bind(syscall.AF_INET6, &syscall.SockaddrInet6{Addr: [16]byte{15: 1}})
	if err != nil {
		return false
	}
	syscall.Close(fd)
	return true
})

func bind(family int, addr syscall.Sockaddr) (int, error) {
	syscall.ForkLock.RLock() // no child may inherit it
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return 0, os.NewSyscallError("socket", err)
	}
	if family == syscall.AF_INET6 {
		if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 1); err != nil {
			syscall.Close(fd)
			return 0, os.NewSyscallError("setsockopt", err)
		}
	}
	err = syscall.Bind(fd, addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		// Connections of a process that has just ended linger in TIME_WAIT and hold the port against a plain bind, for a
		// minute. With SO_REUSEADDR only a socket that still lives does.
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
			syscall.Close(fd)
			return 0, os.NewSyscallError("setsockopt", err)
		}
		err = syscall.Bind(fd, addr)
	}
	if err != nil {
		syscall.Close(fd)
		return 0, os.NewSyscallError("bind", err)
	}
	return fd, nil
}

func bindError(port int, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("port %d: %w", port, ErrTaken)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("port %d: only root may listen on ports below 1024", port)
	}
	return fmt.Errorf("port %d: %w", port, err)
}

// Loopback is the address of port for a process that listens or connects on this machine.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) }
