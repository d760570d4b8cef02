// What a client may do before it has logged in.

package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// loginTimeout is how long a client may take to log in. It takes milliseconds.
	loginTimeout = 10 * time.Second
	// maxLoginBytes bounds a request before the login. The largest one has some hundred bytes.
	maxLoginBytes = 16 << 10
	// maxLoginRequests bounds the requests that wait for an answer before the login. A client sends the next after the answer.
	maxLoginRequests = 4
	// scramAnswers is the number of answers without an error with which a SCRAM login ends: to the name, and to the proof.
	scramAnswers = 2
)

var errNotLoggedIn = errors.New("the client has not logged in")

// login follows a connection until its client has logged in. kfake decides whether it has; login only sees the answers. It
// keeps a stranger from holding connections and memory: kfake would take a request of any size from anyone.
type login struct {
	net.Conn

	mu       sync.Mutex
	waiting  []loginRequest // for an answer
	accepted int
}

type loginRequest struct {
	kind    kmsg.Key
	version int16
}

// newLogin begins the time in which the client has to log in.
func newLogin(c net.Conn) (*login, error) {
	if err := c.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return nil, err
	}
	return &login{Conn: c}, nil
}

// request notes the head of a request. An error means that the client is cut off.
func (l *login) request(kind kmsg.Key, version int16, size int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accepted >= scramAnswers {
		return nil
	}
	if size > maxLoginBytes || len(l.waiting) >= maxLoginRequests {
		return fmt.Errorf("%w: size %d, kind %d", errNotLoggedIn, size, kind)
	}
	l.waiting = append(l.waiting, loginRequest{kind, version})
	return nil
}

// Write passes an answer on. kfake writes each answer in one call, in the order of the requests.
func (l *login) Write(b []byte) (int, error) {
	if err := l.answer(b); err != nil {
		return 0, err
	}
	return l.Conn.Write(b)
}

func (l *login) answer(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.accepted >= scramAnswers || len(l.waiting) == 0 {
		return nil
	}
	of := l.waiting[0]
	l.waiting = l.waiting[1:]
	if of.kind != kmsg.SASLAuthenticate {
		return nil
	}
	req := kmsg.NewPtrSASLAuthenticateRequest()
	req.SetVersion(of.version)
	at := sizeBytes + correlationBytes
	if req.IsFlexible() {
		at++ // the number of tagged fields
	}
	if len(b) < at+errorBytes || binary.BigEndian.Uint16(b[at:]) != 0 {
		return nil
	}
	if l.accepted++; l.accepted < scramAnswers {
		return nil
	}
	return l.SetDeadline(time.Time{})
}

// What precedes the error in an answer, and the error itself.
const (
	correlationBytes = 4
	errorBytes       = 2
)
