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

// acceptPause is the time after a failed Accept. It keeps an error that lasts from using a processor.
const acceptPause = 50 * time.Millisecond

// listener holds connections back until open is called. The tracker watches each of them. The broker's own connections (dial)
// are served before that and not watched.
type listener struct {
	net.Listener
	track   *tracker
	guarded bool // clients have to log in
	outside chan net.Conn
	inside  chan net.Conn
	opened  chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func listen(ctx context.Context, addr string, track *tracker, guarded bool) (*listener, error) {
	ln, err := (&net.ListenConfig{KeepAliveConfig: keepAlive}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &listener{Listener: ln, track: track, guarded: guarded, outside: make(chan net.Conn), inside: make(chan net.Conn),
		opened: make(chan struct{}), closed: make(chan struct{})}, nil
}

// open lets connections in. It is called once.
func (l *listener) open() {
	close(l.opened)
	go l.acceptOutside()
}

// acceptOutside hands the clients' connections to Accept until the listener is closed. It goes on after an error, such as too
// many open files. kfake would accept nothing any more.
func (l *listener) acceptOutside() {
	for {
		c, err := l.Listener.Accept()
		if err == nil {
			c, err = l.track.watch(c, l.guarded)
		}
		if err != nil {
			select {
			case <-time.After(acceptPause):
				continue
			case <-l.closed:
				return
			}
		}
		select {
		case l.outside <- c:
		case <-l.closed:
			c.Close()
			return
		}
	}
}

// dial returns a connection of the broker to itself.
func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	here, there := net.Pipe()
	select {
	case l.inside <- there:
		return here, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	case c := <-l.inside:
		return c, nil
	case c := <-l.outside:
		return c, nil
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}
