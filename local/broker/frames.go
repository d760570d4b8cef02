// How the requests on a connection are followed, and which clients are cut off.

package broker

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// maxRequestBytes is Kafka's socket.request.max.bytes. kfake alone allocates as much as the first four bytes say, which
	// is 1.2 GB when a browser sends "GET ".
	maxRequestBytes = 100 << 20

	// maxGroupRequestBytes bounds a group request that is parsed. A real one has a few hundred bytes.
	maxGroupRequestBytes = 1 << 20

	sizeBytes   = 4               // the length of a request
	headerBytes = sizeBytes + 2   // the length and the request's kind
	bodyStart   = headerBytes + 2 // the length, the kind and the version
)

var errNotKafka = errors.New("not a Kafka request")

// frames follows the requests on one connection while their bytes pass. It reads the kind of each request and parses those
// of group members.
type frames struct {
	head [bodyStart]byte
	have int    // received bytes of head
	left int    // missing bytes of the body
	body []byte // received bytes of the body, if keep is set
	keep bool

	// begun is called with the head of each request, unless it is nil. Its error ends the connection.
	begun func(kind kmsg.Key, version int16, size int) error
}

// next takes the bytes that were just read and calls member for each complete request of a group member. An error means
// that the client does not speak Kafka.
func (f *frames) next(b []byte, member func(request kmsg.Request)) error {
	for len(b) > 0 {
		if f.have < bodyStart {
			n := copy(f.head[f.have:], b)
			f.have += n
			b = b[n:]
			if f.have < bodyStart {
				return nil
			}
			if err := f.begin(); err != nil {
				return err
			}
		}
		n := min(f.left, len(b))
		if f.keep {
			f.body = append(f.body, b[:n]...)
		}
		f.left -= n
		b = b[n:]
		if f.left > 0 {
			return nil
		}
		if f.keep {
			if request, ok := f.parse(); ok {
				member(request)
			}
		}
		*f = frames{body: f.body[:0], begun: f.begun}
	}
	return nil
}

// begin reads the head of a request.
func (f *frames) begin() error {
	size := int(int32(binary.BigEndian.Uint32(f.head[:])))
	kind := int16(binary.BigEndian.Uint16(f.head[sizeBytes:]))
	if size < bodyStart-sizeBytes || size > maxRequestBytes || kmsg.RequestForKey(kind) == nil {
		return fmt.Errorf("%w: size %d, kind %d", errNotKafka, size, kind)
	}
	if f.begun != nil {
		if err := f.begun(kmsg.Key(kind), int16(binary.BigEndian.Uint16(f.head[headerBytes:])), size); err != nil {
			return err
		}
	}
	f.left = size - (bodyStart - sizeBytes)
	switch kmsg.Key(kind) {
	case kmsg.JoinGroup, kmsg.SyncGroup, kmsg.Heartbeat, kmsg.OffsetCommit:
		f.keep = f.left <= maxGroupRequestBytes
	default:
	}
	return nil
}

// parse reads the kept request. It returns false for an unreadable one, which kfake refuses.
func (f *frames) parse() (request kmsg.Request, ok bool) {
	request = kmsg.RequestForKey(int16(binary.BigEndian.Uint16(f.head[sizeBytes:])))
	request.SetVersion(int16(binary.BigEndian.Uint16(f.head[headerBytes:])))
	r := kbin.Reader{Src: f.body}
	r.Int32()          // the correlation id
	r.NullableString() // the client's id
	if request.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() {
		return nil, false
	}
	return request, request.ReadFrom(r.Src) == nil
}
