// Package ports chooses free TCP ports of the loopback address and names the process that holds a taken one.
//
// Promises:
//   - A reserved port stays ours until Release. Nobody can connect to it: it is bound but does not listen, so a client is
//     refused at once, as if the process were not there yet.
//   - Chosen ports lie outside the range that the system takes for outgoing connections. So no connection can take a
//     part's port while the part restarts.
//   - No other set, in this or another process, chooses a chosen port until ReleaseAll or the end of the process.
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
	// fallbackHighest is below the range of outgoing connections on the systems that do not say where it begins.
	fallbackHighest = 32_000
	// attempts bounds the search. The range has thousands of ports, and nearly all are free.
	attempts = 2_000
)

// ErrTaken is wrapped where another process, or another set, holds the port.
var ErrTaken = errors.New("port is taken")

// Set holds the reserved ports of one run. It is safe for concurrent use.
type Set struct {
	mu     sync.Mutex
	held   map[int][]int          // port → bound sockets
	claims map[int]net.PacketConn // chosen port → what keeps other sets from choosing it
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

// choose reserves port and claims it. The claim is the UDP port of the same number, which no part uses. It lasts while the
// TCP port is given up to a process that starts or restarts. Exactly the processes that could take the TCP port see it.
// It ends with its process, however that dies. A lock file would be seen by other users only in a shared folder.
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

// Reserve reserves the given port on IPv4 and, where the machine has it, on IPv6, because "localhost" may mean either. It
// returns ErrTaken if the port is held.
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

// Release gives ports up. Call it right before the start of the process that listens on them. A chosen port stays claimed,
// because that process may restart. Unknown ports are ignored.
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

// ReleaseAll gives up all ports and claims. Call it when the processes have ended.
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

// Taken reports whether a socket listens on the port or is bound to it.
func Taken(port int) bool {
	s := NewSet()
	defer s.ReleaseAll()
	return errors.Is(s.Reserve(port), ErrTaken)
}

// HasIPv6 reports whether the machine has the IPv6 loopback address.
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
		// Connections of an ended process stay in TIME_WAIT for a minute and make a plain bind fail. With SO_REUSEADDR only a
		// living socket does.
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
