package edge

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/taskwire/taskwire/pkg/platform/address"
)

// Limits bound the connections of a listener.
type Limits struct {
	PerAddress int // HTTP connections of one address (address.Key)
	Total      int // connections of all addresses, upgraded ones too
	// Exempt are addresses that PerAddress does not bound: those of proxies, which carry the requests of many clients.
	Exempt address.Proxies
	// Log gets a line about refused connections now and then; nil: none.
	Log *slog.Logger
}

const (
	// DefaultPerAddress is enough for 80 browsers behind one address, which hold about six connections each.
	DefaultPerAddress = 512
	// DefaultTotal is 16 addresses that hold all they may. It is below the usual limits on open files.
	DefaultTotal = 16 * DefaultPerAddress
	// refusing is how many refused connections are answered at a time. Beyond it a connection is closed at once.
	refusing = 64
	// refuseWait bounds how long a refused connection waits for its request and for the end of its client.
	refuseWait = time.Second
	// refuseRetry is the Retry-After of a refused connection.
	refuseRetry = 10 * time.Second
	// refuseRead is how much of a refused request is read: the usual headers.
	refuseRead = 4 << 10
)

// Limit returns listeners that share limits. Their Accept returns the connections that are within them.
func Limit(limits Limits, listeners ...net.Listener) []net.Listener {
	d := &door{limits: limits, addresses: NewCount(limits.PerAddress), total: NewCount(limits.Total), answering: NewCount(refusing)}
	d.refusals = NewRefusals(limits.Log, "connections are refused")
	limited := make([]net.Listener, len(listeners))
	for i, l := range listeners {
		limited[i] = &listener{l, d}
	}
	return limited
}

type listener struct {
	net.Listener
	*door
}

// door counts the connections of listeners.
type door struct {
	limits    Limits
	addresses *Count
	total     *Count // has one key
	answering *Count // has one key: refusals that are being answered
	refusals  *Refusals
}

// all is the key of counts without a key.
const all = ""

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c, status := l.admit(raw)
		if c != nil {
			return c, nil
		}
		l.refusals.Add(address.Key(peer(raw)), status, time.Now())
		if !l.answering.Take(all) {
			_ = raw.Close() // the client sees that
			continue
		}
		go func() {
			defer l.answering.Give(all)
			refuse(raw, status)
		}()
	}
}

// admit returns the connection with its places, or nil and the status of a refusal.
func (d *door) admit(raw net.Conn) (*conn, int) {
	if !d.total.Take(all) {
		return nil, http.StatusServiceUnavailable
	}
	c := &conn{Conn: raw}
	c.release = sync.OnceFunc(func() { d.total.Give(all) })
	from := peer(raw)
	if d.limits.Exempt.Trusts(from) {
		return c, 0
	}
	key := address.Key(from)
	if !d.addresses.Take(key) {
		c.release()
		return nil, http.StatusTooManyRequests
	}
	c.upgrade = sync.OnceFunc(func() { d.addresses.Give(key) })
	c.release = func() {
		c.upgrade()
		d.total.Give(all)
	}
	return c, 0
}

// peer returns the address of a connection's client.
func peer(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().WithZone("")
	}
	return address.Of(c.RemoteAddr().String())
}

// refuse answers a connection for which there is no place. It waits for the first bytes of a request, because a client may
// take an answer that comes before for a mistake.
func refuse(c net.Conn, status int) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(refuseWait)) // a failure shows at once below
	buf := make([]byte, refuseRead)
	if _, err := c.Read(buf); err != nil {
		return
	}
	detail := "There are too many connections from your address. Close some of them."
	if status != http.StatusTooManyRequests {
		detail = "The server has the largest number of connections that it accepts. Try again."
	}
	document := fmt.Sprintf(`{"type":"about:blank","title":%q,"status":%d,"detail":%q}`+"\n", http.StatusText(status), status, detail)
	_, err := fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\nRetry-After: %s\r\n"+
		"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), len(document), strconv.Itoa(int(refuseRetry.Seconds())), document)
	if half, ok := c.(interface{ CloseWrite() error }); ok && err == nil && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, c, 64*refuseRead) // ends by the deadline, or when the client has gone
	}
}
