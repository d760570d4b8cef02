// What is known about each group member's connection.

package broker

import (
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// forgetAfter is how long the tracker remembers a member or a connection that is gone. The sweep needs ghostGrace of it; the
// rest is for a machine that stalls.
const forgetAfter = time.Minute

// tracker learns from the passing requests which connection each group member used last, and for what. kfake does not know
// the connection.
type tracker struct {
	mu      sync.Mutex
	groups  map[string]time.Time // the last JoinGroup
	members map[memberKey]memberSeen
	open    map[string]*conn     // by the client's address
	closed  map[string]time.Time // when it closed, by the client's address
}

type memberKey struct{ group, id string }

type memberSeen struct {
	conn *conn
	last kmsg.Key // the kind of its last request
	at   time.Time
}

// memberState is what the tracker knows about a member. With the zero value, which means nothing, kfake is left to decide.
type memberState struct {
	last  kmsg.Key      // the kind of its last request
	since time.Duration // since that request, or since its connection is gone
	gone  bool          // its connection is closed
	known bool          // it has sent a request with its id
}

func newTracker() *tracker {
	return &tracker{
		groups:  map[string]time.Time{},
		members: map[memberKey]memberSeen{},
		open:    map[string]*conn{},
		closed:  map[string]time.Time{},
	}
}

// watch returns a connection that reports what passes on c to the tracker. If guarded is set, its client has to log in.
func (t *tracker) watch(c net.Conn, guarded bool) (net.Conn, error) {
	w := &conn{Conn: c, track: t}
	if guarded {
		l, err := newLogin(c)
		if err != nil {
			c.Close()
			return nil, err
		}
		w.Conn, w.frames.begun = l, l.request
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	addr := c.RemoteAddr().String()
	t.open[addr] = w
	delete(t.closed, addr)
	return w, nil
}

// conn is a client's connection. One goroutine reads it.
type conn struct {
	net.Conn
	track  *tracker
	frames frames
	gone   sync.Once
	goneAt time.Time // under track.mu; zero while open
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if perr := c.frames.next(b[:n], c.member); perr != nil {
		n, err = 0, perr // without the bytes, else the caller would use them before it sees the error
	}
	if err != nil {
		c.lost()
	}
	return n, err
}

func (c *conn) Close() error {
	c.lost()
	return c.Conn.Close()
}

func (c *conn) lost() {
	c.gone.Do(func() {
		t, addr, now := c.track, c.RemoteAddr().String(), time.Now()
		t.mu.Lock()
		defer t.mu.Unlock()
		c.goneAt = now
		if t.open[addr] == c {
			delete(t.open, addr)
			t.closed[addr] = now
		}
	})
}

// member records a request of a group member.
func (c *conn) member(request kmsg.Request) {
	var key memberKey
	switch r := request.(type) {
	case *kmsg.JoinGroupRequest:
		key = memberKey{r.Group, r.MemberID}
	case *kmsg.SyncGroupRequest:
		key = memberKey{r.Group, r.MemberID}
	case *kmsg.HeartbeatRequest:
		key = memberKey{r.Group, r.MemberID}
	case *kmsg.OffsetCommitRequest:
		key = memberKey{r.Group, r.MemberID}
	default:
		return
	}
	last := kmsg.Key(request.Key())
	t, now := c.track, time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if last == kmsg.JoinGroup {
		t.groups[key.group] = now
	}
	if key.id != "" { // a first JoinGroup has no id yet: kfake makes one and keeps the client's address with it
		t.members[key] = memberSeen{conn: c, last: last, at: now}
	}
}

// joined lists the groups with at least one JoinGroup.
func (t *tracker) joined() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.groups))
}

// state returns what is known about a member of a group. host is the client's address that kfake has for it.
func (t *tracker) state(group, id, host string, now time.Time) memberState {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, seen := t.members[memberKey{group, id}]
	if seen {
		if m.conn.goneAt.IsZero() {
			return memberState{last: m.last, since: now.Sub(m.at), known: true}
		}
		return memberState{last: m.last, since: now.Sub(m.conn.goneAt), gone: true, known: true}
	}
	// It has sent nothing with its id, so its only request is the first JoinGroup, which has no id.
	if t.open[host] != nil {
		return memberState{}
	}
	since := forgetAfter
	if at, known := t.closed[host]; known {
		since = now.Sub(at)
	}
	return memberState{last: kmsg.JoinGroup, since: since, gone: true}
}

// prune forgets what is no longer needed. members are the present members of group.
func (t *tracker) prune(group string, members map[string]bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.members, func(k memberKey, m memberSeen) bool {
		return k.group == group && !members[k.id] && now.Sub(m.at) > forgetAfter
	})
	maps.DeleteFunc(t.closed, func(_ string, at time.Time) bool { return now.Sub(at) > forgetAfter })
	if len(members) == 0 && now.Sub(t.groups[group]) > forgetAfter {
		delete(t.groups, group) // the next JoinGroup brings it back
	}
}
