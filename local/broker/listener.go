// When clients are served, and how a vanished one is noticed.

package broker

import (
	"context"
	"net"
	"sync"
	"time"
)

// keepAlive notices a client whose machine or network is gone after idle + count × interval, 11 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}

// listener holds connections back until open is called. The tracker watches each of them.
type listener struct {
	net.Listener
	track  *tracker
	opened chan struct{}
	closed chan struct{}
	once   sync.Once
}

func listen(ctx context.Context, addr string, track *tracker) (*listener, error) {
	ln, err := (&net.ListenConfig{KeepAliveConfig: keepAlive}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &listener{Listener: ln, track: track, opened: make(chan struct{}), closed: make(chan struct{})}, nil
}

// open lets connections in. It is called once.
func (l *listener) open() { close(l.opened) }

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.opened:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return l.track.watch(c), nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
